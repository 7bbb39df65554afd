#include "kernels/layer_norm/layer_norm.h"

#include <algorithm>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "kernels/layer_norm/layer_norm_args.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::LayerNormRows)> kForward = {ref::LayerNormRows};
constexpr PerIsa<decltype(ref::LayerNormBackwardRows)> kBackwardRows = {ref::LayerNormBackwardRows};
constexpr PerIsa<decltype(ref::LayerNormBackwardColumns)> kBackwardColumns = {ref::LayerNormBackwardColumns};

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

float* RowDestination(const Tensor& x, const char* name, Slot& slot) {
  if (!slot.wanted()) return nullptr;
  CheckRow("LayerNormBackward", x, name, slot.destination());
  return slot.destination().mutable_data<float>();
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

void LayerNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd, Slot& dx,
                       Slot& dweight, Slot& dbias) {
  CheckInputs("LayerNormBackward", x, weight);
  CHECK(dy.shape() == x.shape() && dy.dtype() == DType::kF32 && dy.contiguous())
      << "LayerNormBackward: dy is like x; got dy=" << dy << ", x=" << x;
  int64_t cols = x.dim(-1), rows = cols > 0 ? x.elements() / cols : 0;
  CHECK(mean.elements() == rows && rstd.elements() == rows)
      << "LayerNormBackward: mean and rstd are the forward pass's [rows]; got mean=" << mean << ", rstd=" << rstd << ", x=" << x;
  LayerNormBackwardArgs args{};
  args.dy = dy.data<float>();
  args.x = x.data<float>();
  args.weight = weight.data<float>();
  args.mean = mean.data<float>();
  args.rstd = rstd.data<float>();
  args.rows = rows;
  args.cols = cols;
  args.dweight = RowDestination(x, "dweight", dweight);
  args.add_dweight = dweight.accumulate();
  args.dbias = RowDestination(x, "dbias", dbias);
  args.add_dbias = dbias.accumulate();
  if (dx.wanted()) {
    CHECK(dx.destination().shape() == x.shape() && dx.destination().contiguous())
        << "LayerNormBackward: dx is like x; got dx=" << dx.destination() << ", x=" << x;
    args.dx = dx.destination().mutable_data<float>();
    args.add_dx = dx.accumulate();
  }
  if (args.dx != nullptr && rows > 0) {
    auto* backward = kBackwardRows.Pick();
    ParallelFor(rows, kGrain / cols + 1, [&](int64_t begin, int64_t end) { backward(args, begin, end); });
  }
  if (args.dweight != nullptr || args.dbias != nullptr) {
    auto* backward = kBackwardColumns.Pick();
    // Whole vectors of columns, so that the cut falls where the kernel's tiles fall.
    int64_t tiles = (cols + 15) / 16;
    ParallelFor(tiles, kGrain / (16 * (rows + 1)) + 1,
                [&](int64_t begin, int64_t end) { backward(args, begin * 16, std::min(end * 16, cols)); });
  }
}

}  // namespace quern
