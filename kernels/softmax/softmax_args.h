// What every version of Softmax takes. Rows [begin, end) are one serial tile.
#ifndef QUERN_KERNELS_SOFTMAX_SOFTMAX_ARGS_H_
#define QUERN_KERNELS_SOFTMAX_SOFTMAX_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

struct SoftmaxArgs {
  const float* x;  // [rows, cols]
  float* y;        // [rows, cols]
  int64_t cols;
};

struct SoftmaxBackwardArgs {
  const float* dy;  // [rows, cols]
  const float* y;   // [rows, cols], what the forward pass gave
  float* dx;        // [rows, cols]
  int64_t cols;
  bool add;
};

QUERN_FOR_EACH_ISA(void SoftmaxRows(const SoftmaxArgs& args, int64_t begin, int64_t end);
                   void LogSoftmaxRows(const SoftmaxArgs& args, int64_t begin, int64_t end);
                   void SoftmaxBackwardRows(const SoftmaxBackwardArgs& args, int64_t begin, int64_t end);
                   void LogSoftmaxBackwardRows(const SoftmaxBackwardArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_SOFTMAX_SOFTMAX_ARGS_H_
