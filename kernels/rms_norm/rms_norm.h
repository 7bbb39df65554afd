// Root mean square layer normalisation (Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019).
//
//   y[n,c] = x[n,c] * rstd[n] * weight[c],   rstd[n] = 1 / sqrt(mean_c(x[n,c]^2) + eps)
#ifndef QUERN_KERNELS_RMS_NORM_RMS_NORM_H_
#define QUERN_KERNELS_RMS_NORM_RMS_NORM_H_

#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

struct RmsNormResult {
  Tensor y;     // f32, shape of x
  Tensor rstd;  // f32 [rows], for the backward pass
};

// x: f32 [..., C], contiguous, on the CPU or a CUDA device; weight: f32 [C]; eps >= 0.
RmsNormResult RmsNorm(const Tensor& x, const Tensor& weight, float eps);

// With xhat = x * rstd and g = dy * weight:
//   dx = rstd * (g - xhat * mean_c(g * xhat)),   dweight[c] = sum_n dy[n,c] * xhat[n,c]
// dy: f32, shape of x. Rows are summed in chunks of 64, chunks in ascending order, at any thread count.
void RmsNormBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, const Tensor& rstd, Slot& dx,
                     Slot& dweight);

}  // namespace quern

#endif  // QUERN_KERNELS_RMS_NORM_RMS_NORM_H_
