// One row at a time in sixteen lanes; compiled once per instruction set.
#include "kernels/cross_entropy/cross_entropy_args.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace quern {
namespace QUERN_ISA {
namespace {

QUERN_INLINE float Loss(float sum, float target, float max) { return FirstLane(Log(Broadcast(sum))) - (target - max); }

QUERN_INLINE float LossOfRow(const float* x, int64_t cols, int32_t target) {
  const F32x16 max = RowMax(x, cols);
  F32x16 sum = Zero();
  ForEachVector(0, cols, [&](int64_t c, auto lanes) { sum = sum + Exp(Load(x + c, lanes, Lowest()) - max); });
  return Loss(ReduceSum(sum), x[target], FirstLane(max));
}

// The exponentials are written where the logits were, and scaled once their sum is known: the row is in the cache, and
// an exponential costs more than a load and a store.
QUERN_INLINE float LossAndGradientOfRow(float* x, int64_t cols, int32_t target, float scale) {
  const F32x16 max = RowMax(x, cols);
  const float at_target = x[target];
  F32x16 sums = Zero();
  ForEachVector(0, cols, [&](int64_t c, auto lanes) {
    F32x16 e = Exp(Load(x + c, lanes, Lowest()) - max);
    Store(x + c, lanes, e);
    sums = sums + e;
  });
  const float sum = ReduceSum(sums);
  const F32x16 factor = Broadcast(scale / sum);
  ForEachVector(0, cols, [&](int64_t c, auto lanes) { Store(x + c, lanes, Load(x + c, lanes, Zero()) * factor); });
  x[target] -= scale;
  return Loss(sum, at_target, FirstLane(max));
}

}  // namespace

void CrossEntropyRows(const CrossEntropyArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const int32_t target = args.targets[n];
    float* gradient = args.dlogits != nullptr ? args.dlogits + n * args.cols : nullptr;
    if (target < 0) {
      args.losses[n] = 0;
      if (gradient != nullptr)
        ForEachVector(0, args.cols, [&](int64_t c, auto lanes) { Store(gradient + c, lanes, Zero()); });
    } else if (gradient != nullptr) {
      args.losses[n] = LossAndGradientOfRow(gradient, args.cols, target, args.scale);
    } else {
      args.losses[n] = LossOfRow(args.logits + n * args.cols, args.cols, target);
    }
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
