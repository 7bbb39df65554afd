#include "kernels/adamw/adamw.h"

#include <algorithm>
#include <cmath>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/adamw/adamw_args.h"
#include "kernels/isa.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::AdamW)> kAdamW = {ref::AdamW, avx2::AdamW, avx512::AdamW};

// The work is cut between blocks of this many elements, and so many of them are worth a thread of their own.
constexpr int64_t kBlock = 1024;
constexpr int64_t kGrain = 8;

void CheckArena(const char* name, const Tensor& t, const Tensor& master) {
  CHECK(t.defined() && t.dtype() == DType::kF32 && t.contiguous() && t.device().is_cpu() &&
        t.elements() == master.elements())
      << "AdamW: master, m, v and grad are contiguous f32 of equal element counts on the CPU; got " << name << "=" << t
      << ", master=" << master;
}

AdamWArgs Coefficients(const AdamWOptions& options) {
  CHECK_GE(options.step, 1) << "AdamW: steps count from 1.";
  CHECK(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1)
      << "AdamW: betas are in [0, 1); got " << options.beta1 << " and " << options.beta2;
  const double t = static_cast<double>(options.step), beta1 = options.beta1, beta2 = options.beta2;
  AdamWArgs args{};
  args.grad_scale = options.grad_scale;
  args.beta1 = options.beta1;
  args.beta2 = options.beta2;
  args.eps = options.eps;
  args.one_minus_beta1 = static_cast<float>(1 - beta1);
  args.one_minus_beta2 = static_cast<float>(1 - beta2);
  args.decay = static_cast<float>(1 - double{options.learning_rate} * options.weight_decay);
  args.step_size = static_cast<float>(options.learning_rate / (1 - std::pow(beta1, t)));
  args.inverse_correction = static_cast<float>(1 / std::sqrt(1 - std::pow(beta2, t)));
  return args;
}

}  // namespace

void AdamW(const AdamWOptions& options, Tensor& parameter, Tensor& master, Tensor& m, Tensor& v, const Tensor& grad) {
  CheckArena("master", master, master);
  CheckArena("m", m, master);
  CheckArena("v", v, master);
  CheckArena("grad", grad, master);
  CHECK(parameter.defined() && (parameter.dtype() == DType::kF32 || parameter.dtype() == DType::kBF16) &&
        parameter.contiguous() && parameter.device().is_cpu() && parameter.elements() == master.elements())
      << "AdamW: the parameter is contiguous f32 or bf16 with master's element count; got parameter=" << parameter
      << ", master=" << master;
  AdamWArgs args = Coefficients(options);
  if (parameter.dtype() == DType::kBF16) {
    args.bf16_parameter = reinterpret_cast<uint16_t*>(parameter.mutable_raw());
  } else if (parameter.raw() != master.raw()) {
    args.f32_parameter = parameter.mutable_data<float>();
  }
  args.master = master.mutable_data<float>();
  args.m = m.mutable_data<float>();
  args.v = v.mutable_data<float>();
  args.grad = grad.data<float>();
  auto* kernel = kAdamW.Pick();
  int64_t elements = master.elements();
  ParallelFor((elements + kBlock - 1) / kBlock, kGrain,
              [&](int64_t begin, int64_t end) { kernel(args, begin * kBlock, std::min(end * kBlock, elements)); });
}

}  // namespace quern
