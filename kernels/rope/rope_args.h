// What every version of Rope takes: pointers and sizes. Tokens [begin, end) are one serial tile.
#ifndef QUERN_KERNELS_ROPE_ROPE_ARGS_H_
#define QUERN_KERNELS_ROPE_ROPE_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

struct RopeArgs {
  const float* x;            // [tokens, heads, dim], strides below, contiguous in dim
  float* y;                  // the same
  const int32_t* positions;  // [tokens]
  const float* cos;          // [.., dim / 2], a row per position
  const float* sin;
  int64_t tokens, heads, dim;
  int64_t x_token, x_head, y_token, y_head;  // strides in elements
  bool interleaved;                          // pairs (2i, 2i + 1); otherwise (i, i + dim / 2)
  bool backward;                             // turns the other way
  bool add;                                  // adds to what is there
};

QUERN_FOR_EACH_ISA(void RopeTokens(const RopeArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_ROPE_ROPE_ARGS_H_
