// Eigen's arrays as the benchmarks' opponents, compiled for the same instruction sets as ours.
#ifndef QUERN_KERNELS_BENCHMARK_EIGEN_ARGS_H_
#define QUERN_KERNELS_BENCHMARK_EIGEN_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

// What each reads and writes of EigenArgs, per row of `cols`.
enum class EigenOp {
  kAdd,                // y = a + b
  kAddRow,             // y = a + [cols] row
  kScale,              // y = factor a
  kGeluTanh,           // y = gelu(a)
  kGeluTanhBackward,   // y = a gelu'(b)
  kSilu,               // y = silu(a)
  kSwiGlu,             // y = silu(a) b
  kSoftmax,            // y = softmax(a)
  kSoftmaxBackward,    // y = b (a - a.b)
  kCrossEntropy,       // second[n] = the loss of row a at ids[n]
  kLayerNorm,          // y = layer_norm(a) row + bias
  kLayerNormBackward,  // a = dy, b = x: y = dx; adds to second = dweight, third = dbias
  kRmsNorm,            // y = rms_norm(a) row
  kSum,                // second[n] = the row's sum
  kMax,                // second[n] = the row's maximum
  kSquaredNorm,        // second[n] = the row's sum of squares
  kSumRows,            // second (+)= the row
  kArgMax,             // ids_out[n] = where the row's maximum is
  kAdamW,              // a = gradient; y = weight, second = m, third = v, all [rows, cols]
};

struct EigenArgs {
  const float *a, *b;
  const float *row, *bias;  // [cols]
  const int32_t* ids;
  int32_t* ids_out;
  float *y, *second, *third;
  int64_t cols;
  float factor;
};

QUERN_FOR_EACH_ISA(void EigenRows(EigenOp op, const EigenArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_BENCHMARK_EIGEN_ARGS_H_
