// What every version of LayerNorm takes: pointers and sizes. Rows, chunks or columns [begin, end) are one serial tile.
#ifndef QUERN_KERNELS_LAYER_NORM_LAYER_NORM_ARGS_H_
#define QUERN_KERNELS_LAYER_NORM_LAYER_NORM_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

struct LayerNormArgs {
  const float* x;       // [rows, cols]
  const float* weight;  // [cols]
  const float* bias;    // [cols] or null
  float* y;             // [rows, cols]
  float *mean, *rstd;   // [rows]
  int64_t rows, cols;
  float eps;
};

struct LayerNormBackwardArgs {
  const float* dy;                           // [rows, cols]
  const float* x;                            // [rows, cols]
  const float* weight;                       // [cols]
  const float *mean, *rstd;                  // [rows]
  float* dx;                                 // [rows, cols] or null
  float *dweight_of_chunk, *dbias_of_chunk;  // [chunks, cols], both or neither
  int64_t rows, cols;
  bool add_dx;  // add to what is there
};

// out (+)= the sum of the chunks' rows, in ascending order.
struct LayerNormSumArgs {
  const float* of_chunk;  // [chunks, cols]
  float* out;             // [cols]
  int64_t chunks, cols;
  bool add;
};

inline constexpr int64_t kLayerNormRowChunk = 64;

QUERN_FOR_EACH_ISA(void LayerNormRows(const LayerNormArgs& args, int64_t begin, int64_t end);
                   void LayerNormBackwardChunks(const LayerNormBackwardArgs& args, int64_t begin, int64_t end);
                   void LayerNormSumColumns(const LayerNormSumArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_LAYER_NORM_LAYER_NORM_ARGS_H_
