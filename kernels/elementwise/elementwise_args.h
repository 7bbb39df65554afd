// What every version of the elementwise operations takes. Elements [begin, end) are one serial tile.
#ifndef QUERN_KERNELS_ELEMENTWISE_ELEMENTWISE_ARGS_H_
#define QUERN_KERNELS_ELEMENTWISE_ELEMENTWISE_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

enum class ElementwiseOp {
  kAdd,               // a + b
  kMul,               // a * b
  kScale,             // a * factor
  kFill,              // factor
  kGeluErf,           // gelu(a)
  kGeluTanh,          // gelu(a)
  kGeluErfBackward,   // a * gelu'(b), c = gelu(b)
  kGeluTanhBackward,  // a * gelu'(b)
  kTanh,              // tanh(a)
  kSigmoid,           // sigmoid(a)
  kErf,               // erf(a)
  kSilu,              // silu(a)
  kSiluBackward,      // a * silu'(b)
  kSwiGlu,            // silu(a) * b
  kSwiGluBackward,    // a = dy, b = gate, c = up: out = dgate, second = dup; either may be null
};

struct ElementwiseArgs {
  ElementwiseOp op;
  const float *a, *b, *c;
  float *out, *second;  // may be an operand
  float factor;
  bool add, add_second;  // add to what is there
};

// out[n,:] = a[n,:] + row, rows [begin, end).
struct AddRowArgs {
  const float* a;    // [rows, cols]
  const float* row;  // [cols]
  float* out;        // [rows, cols]
  int64_t cols;
};

struct CastArgs {
  const float* f32;  // to bf16, or null
  uint16_t* to_bf16;
  const uint16_t* bf16;  // to f32, or null
  float* to_f32;
};

// Element i is kept where the upper 24 bits of its random word (base/rng.h) reach `threshold`, and then times `scale`;
// else it is 0.
struct DropoutArgs {
  const float* x;
  float* out;
  uint64_t first_group;      // of element 0; a group has four elements
  uint32_t counter_high[2];  // step, micro-batch
  uint32_t key[2];
  uint32_t threshold;  // the probability of dropping, times 2^24
  float scale;
  bool add;
};

QUERN_FOR_EACH_ISA(void Elementwise(const ElementwiseArgs& args, int64_t begin, int64_t end);
                   void AddRow(const AddRowArgs& args, int64_t begin, int64_t end);
                   void Cast(const CastArgs& args, int64_t begin, int64_t end);
                   // begin is a multiple of 4.
                   void Dropout(const DropoutArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_ELEMENTWISE_ELEMENTWISE_ARGS_H_
