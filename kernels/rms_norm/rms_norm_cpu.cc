// One row at a time in sixteen lanes; compiled once per instruction set.
#include "kernels/rms_norm/rms_norm_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// The columns of kVectors vectors at c, side by side, so that memory is read in longer runs.
template <int kVectors, typename Lanes>
QUERN_INLINE void WeightGradientStrip(const RmsNormBackwardArgs& args, int64_t c, Lanes lanes) {
  F32x16 total[kVectors];
  for (int v = 0; v < kVectors; ++v) total[v] = Zero();
  for (int64_t chunk = 0; chunk < args.rows; chunk += kRmsNormRowChunk) {
    const int64_t last = chunk + kRmsNormRowChunk < args.rows ? chunk + kRmsNormRowChunk : args.rows;
    F32x16 sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = Zero();
    for (int64_t n = chunk; n < last; ++n) {
      const float *x = args.x + n * args.cols + c, *dy = args.dy + n * args.cols + c;
      const F32x16 rstd = Broadcast(args.rstd[n]);
      for (int v = 0; v < kVectors; ++v) {
        F32x16 xhat = Load(x + v * kLanes, lanes, Zero()) * rstd;
        sum[v] = Fma(Load(dy + v * kLanes, lanes, Zero()), xhat, sum[v]);
      }
    }
    for (int v = 0; v < kVectors; ++v) total[v] = total[v] + sum[v];
  }
  for (int v = 0; v < kVectors; ++v) StoreTo(args.dweight + c + v * kLanes, lanes, total[v], args.add_dweight);
}

}  // namespace

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
  constexpr int64_t kStrip = 4;
  int64_t c = begin;
  for (; c + kStrip * kLanes <= end; c += kStrip * kLanes) WeightGradientStrip<kStrip>(args, c, AllLanes{});
  ForEachVector(c, end, [&](int64_t c, auto lanes) { WeightGradientStrip<1>(args, c, lanes); });
}

}  // namespace QUERN_ISA
}  // namespace quern
