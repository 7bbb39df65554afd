// What every version of AdamW takes. Elements [begin, end) are one serial tile.
#ifndef QUERN_KERNELS_ADAMW_ADAMW_ARGS_H_
#define QUERN_KERNELS_ADAMW_ADAMW_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

struct AdamWArgs {
  float* f32_parameter;      // a copy of master, or null (also where the parameter is master itself)
  uint16_t* bf16_parameter;  // master rounded to nearest even, or null
  float *master, *m, *v;
  const float* grad;
  float grad_scale, beta1, beta2, eps;
  float one_minus_beta1, one_minus_beta2;
  float decay;               // 1 - learning_rate * weight_decay
  float step_size;           // learning_rate / (1 - beta1^t)
  float inverse_correction;  // 1 / sqrt(1 - beta2^t)
};

QUERN_FOR_EACH_ISA(void AdamW(const AdamWArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_ADAMW_ADAMW_ARGS_H_
