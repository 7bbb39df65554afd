#include "kernels/softmax/softmax.h"

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "kernels/softmax/softmax_args.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::SoftmaxRows)> kSoftmax = {ref::SoftmaxRows, avx2::SoftmaxRows, avx512::SoftmaxRows};
constexpr PerIsa<decltype(ref::LogSoftmaxRows)> kLogSoftmax = {ref::LogSoftmaxRows, avx2::LogSoftmaxRows,
                                                               avx512::LogSoftmaxRows};
constexpr PerIsa<decltype(ref::SoftmaxBackwardRows)> kSoftmaxBackward = {
    ref::SoftmaxBackwardRows, avx2::SoftmaxBackwardRows, avx512::SoftmaxBackwardRows};
constexpr PerIsa<decltype(ref::LogSoftmaxBackwardRows)> kLogSoftmaxBackward = {
    ref::LogSoftmaxBackwardRows, avx2::LogSoftmaxBackwardRows, avx512::LogSoftmaxBackwardRows};

// Elements that are worth a thread of their own.
constexpr int64_t kGrain = 4 * 1024;

void CheckInput(const char* op, const char* name, const Tensor& t) {
  CHECK(t.defined() && t.dtype() == DType::kF32 && t.rank() >= 1 && t.contiguous() && t.device().is_cpu())
      << op << ": takes contiguous f32 [..., C] on the CPU; got " << name << "=" << t;
}

template <typename Args>
void Run(void (*kernel)(const Args&, int64_t, int64_t), const Args& args, const Tensor& x) {
  if (args.cols == 0) return;
  ParallelFor(x.elements() / args.cols, kGrain / args.cols + 1,
              [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
}

Tensor Forward(const char* op, void (*kernel)(const SoftmaxArgs&, int64_t, int64_t), const Tensor& x) {
  CheckInput(op, "x", x);
  Tensor y = Tensor::Empty(x.shape(), DType::kF32);
  Run(kernel, SoftmaxArgs{x.data<float>(), y.mutable_data<float>(), x.dim(-1)}, x);
  return y;
}

void Backward(const char* op, void (*kernel)(const SoftmaxBackwardArgs&, int64_t, int64_t), const Tensor& dy,
              const Tensor& y, Slot& dx) {
  CheckInput(op, "y", y);
  CheckInput(op, "dy", dy);
  CHECK(dy.shape() == y.shape()) << op << ": equal shapes; got dy=" << dy << ", y=" << y;
  if (!dx.wanted()) return;
  CheckInput(op, "dx", dx.destination());
  CHECK(dx.destination().shape() == y.shape()) << op << ": equal shapes; got dx=" << dx.destination() << ", y=" << y;
  Run(kernel,
      SoftmaxBackwardArgs{dy.data<float>(), y.data<float>(), dx.destination().mutable_data<float>(), y.dim(-1),
                          dx.accumulate()},
      y);
}

}  // namespace

Tensor Softmax(const Tensor& x) { return Forward("Softmax", kSoftmax.Pick(), x); }
Tensor LogSoftmax(const Tensor& x) { return Forward("LogSoftmax", kLogSoftmax.Pick(), x); }

void SoftmaxBackward(const Tensor& dy, const Tensor& y, Slot& dx) {
  Backward("SoftmaxBackward", kSoftmaxBackward.Pick(), dy, y, dx);
}
void LogSoftmaxBackward(const Tensor& dy, const Tensor& y, Slot& dx) {
  Backward("LogSoftmaxBackward", kLogSoftmaxBackward.Pick(), dy, y, dx);
}

}  // namespace quern
