// The specification: the plainest loop, in double.
#include <cmath>

#include "kernels/adamw/adamw_args.h"
#include "tensor/dtype.h"

namespace quern {
namespace ref {

void AdamW(const AdamWArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    double g = double{args.grad[i]} * args.grad_scale;
    double m = double{args.beta1} * args.m[i] + args.one_minus_beta1 * g;
    double v = double{args.beta2} * args.v[i] + args.one_minus_beta2 * g * g;
    double w =
        args.master[i] * double{args.decay} - args.step_size * m / (std::sqrt(v) * args.inverse_correction + args.eps);
    args.m[i] = static_cast<float>(m);
    args.v[i] = static_cast<float>(v);
    args.master[i] = static_cast<float>(w);
    if (args.f32_parameter) args.f32_parameter[i] = args.master[i];
    if (args.bf16_parameter) args.bf16_parameter[i] = BFloat16(args.master[i]).bits;
  }
}

}  // namespace ref
}  // namespace quern
