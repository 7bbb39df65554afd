// One row at a time in sixteen lanes; compiled once per instruction set.
#include "kernels/simd.h"
#include "kernels/simd_math.h"
#include "kernels/softmax/softmax_args.h"

namespace quern {
namespace QUERN_ISA {

void SoftmaxRows(const SoftmaxArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.x + n * args.cols;
    float* y = args.y + n * args.cols;
    const F32x16 max = RowMax(x, args.cols);
    F32x16 sum = Zero();
    ForEachVector(0, args.cols, [&](int64_t c, auto lanes) {
      F32x16 e = Exp(Load(x + c, lanes, Lowest()) - max);
      Store(y + c, lanes, e);
      sum = sum + e;
    });
    const F32x16 factor = Broadcast(1.0f / ReduceSum(sum));
    ForEachVector(0, args.cols,
                  [&](int64_t c, auto lanes) { Store(y + c, lanes, Load(y + c, lanes, Zero()) * factor); });
  }
}

void LogSoftmaxRows(const SoftmaxArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.x + n * args.cols;
    float* y = args.y + n * args.cols;
    const F32x16 max = RowMax(x, args.cols);
    F32x16 sum = Zero();
    ForEachVector(0, args.cols, [&](int64_t c, auto lanes) { sum = sum + Exp(Load(x + c, lanes, Lowest()) - max); });
    const F32x16 log_sum = Log(Broadcast(ReduceSum(sum)));
    ForEachVector(0, args.cols,
                  [&](int64_t c, auto lanes) { Store(y + c, lanes, Load(x + c, lanes, Zero()) - max - log_sum); });
  }
}

void SoftmaxBackwardRows(const SoftmaxBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float *dy = args.dy + n * args.cols, *y = args.y + n * args.cols;
    float* dx = args.dx + n * args.cols;
    F32x16 dots = Zero();
    ForEachVector(0, args.cols, [&](int64_t c, auto lanes) {
      dots = Fma(Load(dy + c, lanes, Zero()), Load(y + c, lanes, Zero()), dots);
    });
    const F32x16 dot = Broadcast(ReduceSum(dots));
    ForEachVector(0, args.cols, [&](int64_t c, auto lanes) {
      StoreTo(dx + c, lanes, Load(y + c, lanes, Zero()) * (Load(dy + c, lanes, Zero()) - dot), args.add);
    });
  }
}

void LogSoftmaxBackwardRows(const SoftmaxBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float *dy = args.dy + n * args.cols, *y = args.y + n * args.cols;
    float* dx = args.dx + n * args.cols;
    F32x16 sums = Zero();
    ForEachVector(0, args.cols, [&](int64_t c, auto lanes) { sums = sums + Load(dy + c, lanes, Zero()); });
    const F32x16 sum = Broadcast(ReduceSum(sums));
    ForEachVector(0, args.cols, [&](int64_t c, auto lanes) {
      StoreTo(dx + c, lanes, Load(dy + c, lanes, Zero()) - Exp(Load(y + c, lanes, Zero())) * sum, args.add);
    });
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
