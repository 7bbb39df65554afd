// What every version of CrossEntropy takes. Rows [begin, end) are one serial tile.
#ifndef QUERN_KERNELS_CROSS_ENTROPY_CROSS_ENTROPY_ARGS_H_
#define QUERN_KERNELS_CROSS_ENTROPY_CROSS_ENTROPY_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

struct CrossEntropyArgs {
  const float* logits;     // [rows, cols]
  const int32_t* targets;  // [rows]; a negative one is ignored
  float* losses;           // [rows]
  float* dlogits;          // [rows, cols]: `logits` itself, or null
  int64_t rows, cols;
  float scale;
};

QUERN_FOR_EACH_ISA(void CrossEntropyRows(const CrossEntropyArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_CROSS_ENTROPY_CROSS_ENTROPY_ARGS_H_
