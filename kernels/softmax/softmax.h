// Softmax and log-softmax over the innermost axis, in the stable form (the row's maximum is subtracted first).
//
//   softmax(x)[i] = exp(x[i] - max) / sum_j exp(x[j] - max)
//   log_softmax(x)[i] = x[i] - max - log(sum_j exp(x[j] - max))
#ifndef QUERN_KERNELS_SOFTMAX_SOFTMAX_H_
#define QUERN_KERNELS_SOFTMAX_SOFTMAX_H_

#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

// x: f32 [..., C], contiguous. A row of -inf only gives NaN, as everywhere in the field.
Tensor Softmax(const Tensor& x);
Tensor LogSoftmax(const Tensor& x);
// y = Softmax(x): dx = y * (dy - sum_c dy * y).
void SoftmaxBackward(const Tensor& dy, const Tensor& y, Slot& dx);
// y = LogSoftmax(x): dx = dy - exp(y) * sum_c dy.
void LogSoftmaxBackward(const Tensor& dy, const Tensor& y, Slot& dx);

}  // namespace quern

#endif  // QUERN_KERNELS_SOFTMAX_SOFTMAX_H_
