// What every version of GlobalNorm takes. Chunks [begin, end) are one serial tile.
#ifndef QUERN_KERNELS_GLOBAL_NORM_GLOBAL_NORM_ARGS_H_
#define QUERN_KERNELS_GLOBAL_NORM_GLOBAL_NORM_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

inline constexpr int64_t kGlobalNormChunk = 4096;

struct GlobalNormArgs {
  const float* x;
  float* squares;  // the sum of squares of each chunk of kGlobalNormChunk elements
  int64_t elements;
};

QUERN_FOR_EACH_ISA(void SumSquaresChunks(const GlobalNormArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_GLOBAL_NORM_GLOBAL_NORM_ARGS_H_
