#include "kernels/layer_norm/layer_norm.h"

#include <algorithm>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "kernels/layer_norm/layer_norm_args.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::LayerNormRows)> kForward = {ref::LayerNormRows, avx2::LayerNormRows,
                                                           avx512::LayerNormRows};
constexpr PerIsa<decltype(ref::LayerNormBackwardChunks)> kBackward = {
    ref::LayerNormBackwardChunks, avx2::LayerNormBackwardChunks, avx512::LayerNormBackwardChunks};
constexpr PerIsa<decltype(ref::LayerNormSumColumns)> kSumColumns = {ref::LayerNormSumColumns, avx2::LayerNormSumColumns,
                                                                    avx512::LayerNormSumColumns};

// Elements that are worth a thread of their own.
constexpr int64_t kGrain = 16 * 1024;

void CheckRow(const char* op, const Tensor& x, const char* name, const Tensor& row) {
  CHECK(row.dtype() == DType::kF32 && row.rank() == 1 && row.contiguous() && row.dim(0) == x.dim(-1))
      << op << ": " << name << " is f32 [C]; got x=" << x << ", " << name << "=" << row;
}

void CheckInputs(const char* op, const Tensor& x, const Tensor& weight) {
  CHECK(x.defined() && x.dtype() == DType::kF32 && x.device().is_cpu()) << op << ": takes f32 on the CPU; got x=" << x;
  CHECK(x.rank() >= 1 && x.contiguous()) << op << ": x is contiguous [..., C]; got x=" << x;
  CheckRow(op, x, "weight", weight);
}

// slot (+)= the sum over the chunks.
void SumChunks(const Tensor& of_chunk, const char* name, Slot& slot) {
  if (!slot.wanted()) return;
  CheckRow("LayerNormBackward", of_chunk, name, slot.destination());
  LayerNormSumArgs args{of_chunk.data<float>(), slot.destination().mutable_data<float>(), of_chunk.dim(0),
                        of_chunk.dim(1), slot.accumulate()};
  auto* sum = kSumColumns.Pick();
  // Whole vectors of columns, so that the cut falls where the kernel's tiles fall.
  ParallelFor((args.cols + 15) / 16, kGrain / (16 * (args.chunks + 1)) + 1,
              [&](int64_t begin, int64_t end) { sum(args, begin * 16, std::min(end * 16, args.cols)); });
}

}  // namespace

LayerNormResult LayerNorm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps) {
  CheckInputs("LayerNorm", x, weight);
  if (bias.defined()) CheckRow("LayerNorm", x, "bias", bias);
  int64_t cols = x.dim(-1), rows = cols > 0 ? x.elements() / cols : 0;
  LayerNormResult result{Tensor::Empty(x.shape(), DType::kF32), Tensor::Empty({rows}, DType::kF32),
                         Tensor::Empty({rows}, DType::kF32)};
  if (rows == 0) return result;
  LayerNormArgs args{};
  args.x = x.data<float>();
  args.weight = weight.data<float>();
  args.bias = bias.defined() ? bias.data<float>() : nullptr;
  args.y = result.y.mutable_data<float>();
  args.mean = result.mean.mutable_data<float>();
  args.rstd = result.rstd.mutable_data<float>();
  args.rows = rows;
  args.cols = cols;
  args.eps = eps;
  auto* forward = kForward.Pick();
  ParallelFor(rows, kGrain / cols + 1, [&](int64_t begin, int64_t end) { forward(args, begin, end); });
  return result;
}

void LayerNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                       Slot& dx, Slot& dweight, Slot& dbias) {
  CheckInputs("LayerNormBackward", x, weight);
  CHECK(dy.shape() == x.shape() && dy.dtype() == DType::kF32 && dy.contiguous())
      << "LayerNormBackward: dy is like x; got dy=" << dy << ", x=" << x;
  int64_t cols = x.dim(-1), rows = cols > 0 ? x.elements() / cols : 0;
  CHECK(mean.elements() == rows && rstd.elements() == rows)
      << "LayerNormBackward: mean and rstd are the forward pass's [rows]; got mean=" << mean << ", rstd=" << rstd
      << ", x=" << x;
  LayerNormBackwardArgs args{};
  args.dy = dy.data<float>();
  args.x = x.data<float>();
  args.weight = weight.data<float>();
  args.mean = mean.data<float>();
  args.rstd = rstd.data<float>();
  args.rows = rows;
  args.cols = cols;
  if (dx.wanted()) {
    CHECK(dx.destination().shape() == x.shape() && dx.destination().contiguous())
        << "LayerNormBackward: dx is like x; got dx=" << dx.destination() << ", x=" << x;
    args.dx = dx.destination().mutable_data<float>();
    args.add_dx = dx.accumulate();
  }
  bool parameters = dweight.wanted() || dbias.wanted();
  if (args.dx == nullptr && !parameters) return;
  int64_t chunks = (rows + kLayerNormRowChunk - 1) / kLayerNormRowChunk;
  Tensor dweight_of_chunk = Tensor::Empty({parameters ? chunks : 0, cols}, DType::kF32);
  Tensor dbias_of_chunk = Tensor::Empty({parameters ? chunks : 0, cols}, DType::kF32);
  if (parameters) {
    args.dweight_of_chunk = dweight_of_chunk.mutable_data<float>();
    args.dbias_of_chunk = dbias_of_chunk.mutable_data<float>();
  }
  auto* backward = kBackward.Pick();
  ParallelFor(chunks, kGrain / (kLayerNormRowChunk * (cols + 1)) + 1,
              [&](int64_t begin, int64_t end) { backward(args, begin, end); });
  SumChunks(dweight_of_chunk, "dweight", dweight);
  SumChunks(dbias_of_chunk, "dbias", dbias);
}

}  // namespace quern
