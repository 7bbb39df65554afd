// The Euclidean norm over a whole gradient arena.
#ifndef QUERN_KERNELS_GLOBAL_NORM_GLOBAL_NORM_H_
#define QUERN_KERNELS_GLOBAL_NORM_GLOBAL_NORM_H_

#include "tensor/tensor.h"

namespace quern {

// sqrt(sum x^2) of an f32 tensor: chunks of 4096 elements in sixteen f32 lanes, chunk sums added in f64 in ascending
// order. NaN or infinity in x gives NaN or infinity.
double GlobalNorm(const Tensor& x);

}  // namespace quern

#endif  // QUERN_KERNELS_GLOBAL_NORM_GLOBAL_NORM_H_
