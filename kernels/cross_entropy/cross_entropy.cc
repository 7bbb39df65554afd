#include "kernels/cross_entropy/cross_entropy.h"

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/cross_entropy/cross_entropy_args.h"
#include "kernels/isa.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::CrossEntropyRows)> kRows = {ref::CrossEntropyRows, avx2::CrossEntropyRows,
                                                           avx512::CrossEntropyRows};

// Elements that are worth a thread of their own.
constexpr int64_t kGrain = 4 * 1024;

CrossEntropyArgs CheckedArgs(const char* op, const Tensor& logits, const Tensor& targets) {
  CHECK(logits.defined() && logits.dtype() == DType::kF32 && logits.rank() == 2 && logits.contiguous() &&
        logits.device().is_cpu())
      << op << ": logits are contiguous f32 [N, V] on the CPU; got logits=" << logits;
  CHECK(targets.defined() && targets.dtype() == DType::kI32 && targets.rank() == 1 && targets.contiguous() &&
        targets.dim(0) == logits.dim(0))
      << op << ": targets are i32 [N]; got targets=" << targets << ", logits=" << logits;
  CrossEntropyArgs args{};
  args.logits = logits.data<float>();
  args.targets = targets.data<int32_t>();
  args.rows = logits.dim(0);
  args.cols = logits.dim(1);
  for (int64_t n = 0; n < args.rows; ++n) {
    int32_t target = args.targets[n];
    CHECK((target >= 0 && target < args.cols) || target == kIgnoreTarget)
        << op << ": targets are in [0, " << args.cols << ") or " << kIgnoreTarget << "; got targets[" << n
        << "]=" << target;
  }
  return args;
}

Tensor Run(CrossEntropyArgs args) {
  Tensor losses = Tensor::Empty({args.rows}, DType::kF32);
  args.losses = losses.mutable_data<float>();
  auto* kernel = kRows.Pick();
  ParallelFor(args.rows, kGrain / (args.cols + 1) + 1, [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
  return losses;
}

}  // namespace

Tensor CrossEntropy(const Tensor& logits, const Tensor& targets) {
  return Run(CheckedArgs("CrossEntropy", logits, targets));
}

Tensor CrossEntropyInPlace(Tensor& logits, const Tensor& targets, float scale) {
  CrossEntropyArgs args = CheckedArgs("CrossEntropyInPlace", logits, targets);
  args.dlogits = logits.mutable_data<float>();
  args.scale = scale;
  return Run(args);
}

Tensor TargetLogProbabilities(const Tensor& logits, const Tensor& targets) {
  Tensor out = Run(CheckedArgs("TargetLogProbabilities", logits, targets));
  float* values = out.mutable_data<float>();
  for (int64_t n = 0; n < out.elements(); ++n) values[n] = -values[n];
  return out;
}

}  // namespace quern
