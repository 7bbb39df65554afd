// Layer normalisation (Ba, Kiros and Hinton, "Layer Normalization", 2016).
//
//   y[n,c] = (x[n,c] - mean[n]) * rstd[n] * weight[c] + bias[c],   rstd[n] = 1 / sqrt(var_c(x[n,:]) + eps)
//
// The variance is the mean square of the deviations (two passes: no cancellation).
#ifndef QUERN_KERNELS_LAYER_NORM_LAYER_NORM_H_
#define QUERN_KERNELS_LAYER_NORM_LAYER_NORM_H_

#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

struct LayerNormResult {
  Tensor y;           // f32, shape of x
  Tensor mean, rstd;  // f32 [rows], for the backward pass
};

// x: f32 [..., C], contiguous; weight: f32 [C]; bias: f32 [C] or undefined (none); eps >= 0.
LayerNormResult LayerNorm(const Tensor& x, const Tensor& weight, const Tensor& bias, float eps);

// With xhat = (x - mean) * rstd and g = dy * weight:
//   dx = rstd * (g - mean_c(g) - xhat * mean_c(g * xhat)),   dweight[c] = sum_n dy[n,c] * xhat[n,c],
//   dbias[c] = sum_n dy[n,c]
// dy: f32, shape of x. Rows are summed in chunks of 64, chunks in ascending order, at any thread count. Where there is
// no bias, nobody wants dbias.
void LayerNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                       Slot& dx, Slot& dweight, Slot& dbias);

}  // namespace quern

#endif  // QUERN_KERNELS_LAYER_NORM_LAYER_NORM_H_
