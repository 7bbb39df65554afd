// Reductions, by fixed trees: sixteen lanes along a row; chunks of rows by the problem's size across rows.
#ifndef QUERN_KERNELS_REDUCE_REDUCE_H_
#define QUERN_KERNELS_REDUCE_REDUCE_H_

#include <cstdint>
#include <vector>

#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

// All elements of an f32 tensor; the sum of chunk sums in f64.
double Sum(const Tensor& x);
double Mean(const Tensor& x);
float Max(const Tensor& x);

// x: [..., C] seen as rows: out[c] (+)= sum over rows of x[n,c]. The gradient of a bias.
void SumRows(const Tensor& x, Slot& out);

// The index of the greatest element of each row of [N, C], the lowest where several are equal; NaN never wins.
std::vector<int32_t> ArgMaxRows(const Tensor& x);

}  // namespace quern

#endif  // QUERN_KERNELS_REDUCE_REDUCE_H_
