// What every version of RmsNorm takes: pointers and sizes. Rows or columns [begin, end) are one serial tile.
#ifndef QUERN_KERNELS_RMS_NORM_RMS_NORM_ARGS_H_
#define QUERN_KERNELS_RMS_NORM_RMS_NORM_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

struct RmsNormArgs {
  const float* x;       // [rows, cols]
  const float* weight;  // [cols]
  float* y;             // [rows, cols]
  float* rstd;          // [rows]
  int64_t rows, cols;
  float eps;
};

struct RmsNormBackwardArgs {
  const float* dy;      // [rows, cols]
  const float* x;       // [rows, cols]
  const float* weight;  // [cols]
  const float* rstd;    // [rows]
  float* dx;            // [rows, cols] or null
  float* dweight;       // [cols] or null
  int64_t rows, cols;
  bool add_dx, add_dweight;  // add to what is there
};

inline constexpr int64_t kRmsNormRowChunk = 64;

QUERN_FOR_EACH_ISA(void RmsNormRows(const RmsNormArgs& args, int64_t begin, int64_t end);
                   void RmsNormBackwardRows(const RmsNormBackwardArgs& args, int64_t begin, int64_t end);
                   void RmsNormBackwardColumns(const RmsNormBackwardArgs& args, int64_t begin, int64_t end);)

namespace cuda {
// Device pointers; the CUDA stream of the calling thread.
void RmsNorm(const RmsNormArgs& args);
void RmsNormBackward(const RmsNormBackwardArgs& args);
}  // namespace cuda

}  // namespace quern

#endif  // QUERN_KERNELS_RMS_NORM_RMS_NORM_ARGS_H_
