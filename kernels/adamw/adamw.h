// AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019), one fused pass over a parameter's
// memory.
//
//   g = grad * grad_scale;  m = beta1 m + (1 - beta1) g;  v = beta2 v + (1 - beta2) g^2
//   w -= lr * (weight_decay * w + (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + eps))
//
// The decay multiplies the weight of before the step, as PyTorch does: w (1 - lr wd) - lr mhat / (sqrt(vhat) + eps).
#ifndef QUERN_KERNELS_ADAMW_ADAMW_H_
#define QUERN_KERNELS_ADAMW_ADAMW_H_

#include <cstdint>

#include "tensor/tensor.h"

namespace quern {

struct AdamWOptions {
  float learning_rate = 1e-3f;
  float beta1 = 0.9f, beta2 = 0.999f;
  float eps = 1e-8f;
  float weight_decay = 0.01f;
  float grad_scale = 1.0f;  // clipping and averaging, folded in
  int64_t step = 1;         // t, from 1
};

// All f32, contiguous, of equal element counts: master weights, first and second moment, gradient.
// `parameter` is what is evaluated, saved and served: f32 (may be `master` itself) or bf16 (rounded to nearest even).
void AdamW(const AdamWOptions& options, Tensor& parameter, Tensor& master, Tensor& m, Tensor& v, const Tensor& grad);

}  // namespace quern

#endif  // QUERN_KERNELS_ADAMW_ADAMW_H_
