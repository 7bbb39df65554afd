#include "kernels/rms_norm/rms_norm.h"

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "kernels/rms_norm/rms_norm_args.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::RmsNormRows)> kForward = {ref::RmsNormRows, avx2::RmsNormRows, avx512::RmsNormRows};
constexpr PerIsa<decltype(ref::RmsNormBackwardRows)> kBackwardRows = {
    ref::RmsNormBackwardRows, avx2::RmsNormBackwardRows, avx512::RmsNormBackwardRows};
constexpr PerIsa<decltype(ref::RmsNormBackwardColumns)> kBackwardColumns = {
    ref::RmsNormBackwardColumns, avx2::RmsNormBackwardColumns, avx512::RmsNormBackwardColumns};

// Elements that are worth a thread of their own.
constexpr int64_t kGrain = 16 * 1024;

void CheckInputs(const char* op, const Tensor& x, const Tensor& weight) {
  CHECK(x.defined() && weight.defined() && x.dtype() == DType::kF32 && weight.dtype() == DType::kF32)
      << op << ": takes f32; got x=" << x << ", weight=" << weight;
  CHECK(x.rank() >= 1 && x.contiguous()) << op << ": x is contiguous [..., C]; got x=" << x;
  CHECK(weight.rank() == 1 && weight.contiguous() && weight.dim(0) == x.dim(-1))
      << op << ": weight is [C]; got x=" << x << ", weight=" << weight;
  CHECK(weight.device() == x.device()) << op << ": one device; got x=" << x << ", weight=" << weight;
}

}  // namespace

RmsNormResult RmsNorm(const Tensor& x, const Tensor& weight, float eps) {
  CheckInputs("RmsNorm", x, weight);
  int64_t cols = x.dim(-1), rows = cols > 0 ? x.elements() / cols : 0;
  RmsNormResult result{Tensor::Empty(x.shape(), DType::kF32, x.device()),
                       Tensor::Empty({rows}, DType::kF32, x.device())};
  if (rows == 0) return result;
  RmsNormArgs args{x.data<float>(),
                   weight.data<float>(),
                   result.y.mutable_data<float>(),
                   result.rstd.mutable_data<float>(),
                   rows,
                   cols,
                   eps};
  if (!x.device().is_cpu()) {
    if constexpr (kBuiltWithCuda) cuda::RmsNorm(args);
    return result;
  }
  auto* forward = kForward.Pick();
  ParallelFor(rows, kGrain / cols + 1, [&](int64_t begin, int64_t end) { forward(args, begin, end); });
  return result;
}

void RmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd, Slot& dx,
                     Slot& dweight) {
  CheckInputs("RmsNormBackward", x, weight);
  CHECK(dy.shape() == x.shape() && dy.dtype() == DType::kF32 && dy.contiguous())
      << "RmsNormBackward: dy is like x; got dy=" << dy << ", x=" << x;
  int64_t cols = x.dim(-1), rows = cols > 0 ? x.elements() / cols : 0;
  CHECK_EQ(rstd.elements(), rows) << "RmsNormBackward: rstd is the forward pass's [rows]; got rstd=" << rstd
                                  << ", x=" << x;
  RmsNormBackwardArgs args{};
  args.dy = dy.data<float>();
  args.x = x.data<float>();
  args.weight = weight.data<float>();
  args.rstd = rstd.data<float>();
  args.rows = rows;
  args.cols = cols;
  if (dx.wanted()) {
    CHECK(dx.destination().shape() == x.shape() && dx.destination().contiguous())
        << "RmsNormBackward: dx is like x; got dx=" << dx.destination() << ", x=" << x;
    args.dx = dx.destination().mutable_data<float>();
    args.add_dx = dx.accumulate();
  }
  if (dweight.wanted()) {
    CHECK(dweight.destination().shape() == weight.shape() && dweight.destination().contiguous())
        << "RmsNormBackward: dweight is like weight; got dweight=" << dweight.destination() << ", weight=" << weight;
    args.dweight = dweight.destination().mutable_data<float>();
    args.add_dweight = dweight.accumulate();
  }
  if (!x.device().is_cpu()) {
    if constexpr (kBuiltWithCuda) cuda::RmsNormBackward(args);
    return;
  }
  if (args.dx != nullptr && rows > 0) {
    auto* backward = kBackwardRows.Pick();
    ParallelFor(rows, kGrain / cols + 1, [&](int64_t begin, int64_t end) { backward(args, begin, end); });
  }
  if (args.dweight != nullptr) {
    auto* backward = kBackwardColumns.Pick();
    // Whole vectors of columns, so that the cut falls where the kernel's tiles fall.
    int64_t tiles = (cols + 15) / 16;
    ParallelFor(tiles, kGrain / (16 * (rows + 1)) + 1,
                [&](int64_t begin, int64_t end) { backward(args, begin * 16, end * 16 < cols ? end * 16 : cols); });
  }
}

}  // namespace quern
