// One row at a time in sixteen lanes; compiled once per instruction set.
#include "kernels/rms_norm/rms_norm_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {

void RmsNormRows(const RmsNormArgs& args, int64_t begin, int64_t end) {
  const int64_t cols = args.cols;
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.x + n * cols;
    float* y = args.y + n * cols;
    F32x16 squares = Zero();
    for (int64_t c = 0; c < cols; c += kLanes) {
      F32x16 v = LoadFirst(x + c, cols - c, Zero());
      squares = Fma(v, v, squares);
    }
    float rstd = 1.0f / __builtin_sqrtf(ReduceSum(squares) / static_cast<float>(cols) + args.eps);
    args.rstd[n] = rstd;
    F32x16 scale = Broadcast(rstd);
    for (int64_t c = 0; c < cols; c += kLanes) {
      int64_t left = cols - c;
      StoreFirst(y + c, left, LoadFirst(x + c, left, Zero()) * scale * LoadFirst(args.weight + c, left, Zero()));
    }
  }
}

void RmsNormBackwardRows(const RmsNormBackwardArgs& args, int64_t begin, int64_t end) {
  const int64_t cols = args.cols;
  for (int64_t n = begin; n < end; ++n) {
    const float *x = args.x + n * cols, *dy = args.dy + n * cols;
    float* dx = args.dx + n * cols;
    F32x16 rstd = Broadcast(args.rstd[n]), dots = Zero();
    for (int64_t c = 0; c < cols; c += kLanes) {
      int64_t left = cols - c;
      F32x16 g = LoadFirst(dy + c, left, Zero()) * LoadFirst(args.weight + c, left, Zero());
      dots = Fma(g, LoadFirst(x + c, left, Zero()) * rstd, dots);
    }
    F32x16 mean = Broadcast(ReduceSum(dots) / static_cast<float>(cols));
    for (int64_t c = 0; c < cols; c += kLanes) {
      int64_t left = cols - c;
      F32x16 g = LoadFirst(dy + c, left, Zero()) * LoadFirst(args.weight + c, left, Zero());
      F32x16 d = rstd * (g - LoadFirst(x + c, left, Zero()) * rstd * mean);
      if (args.add_dx) d = LoadFirst(dx + c, left, Zero()) + d;
      StoreFirst(dx + c, left, d);
    }
  }
}

void RmsNormBackwardColumns(const RmsNormBackwardArgs& args, int64_t begin, int64_t end) {
  const int64_t cols = args.cols;
  for (int64_t c = begin; c < end; c += kLanes) {
    int64_t left = end - c;
    F32x16 total = Zero();
    for (int64_t chunk = 0; chunk < args.rows; chunk += kRmsNormRowChunk) {
      int64_t last = chunk + kRmsNormRowChunk < args.rows ? chunk + kRmsNormRowChunk : args.rows;
      F32x16 sum = Zero();
      for (int64_t n = chunk; n < last; ++n) {
        F32x16 xhat = LoadFirst(args.x + n * cols + c, left, Zero()) * Broadcast(args.rstd[n]);
        sum = Fma(LoadFirst(args.dy + n * cols + c, left, Zero()), xhat, sum);
      }
      total = total + sum;
    }
    if (args.add_dweight) total = LoadFirst(args.dweight + c, left, Zero()) + total;
    StoreFirst(args.dweight + c, left, total);
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
