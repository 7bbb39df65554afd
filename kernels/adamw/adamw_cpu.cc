// Sixteen elements at a time; compiled once per instruction set.
#include "kernels/adamw/adamw_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

QUERN_INLINE void StoreBf16To(uint16_t* p, AllLanes, F32x16 a) { StoreBf16(p, a); }
QUERN_INLINE void StoreBf16To(uint16_t* p, FirstLanes lanes, F32x16 a) {
  uint16_t all[kLanes];
  StoreBf16(all, a);
  for (int64_t i = 0; i < lanes.n; ++i) p[i] = all[i];
}

// The weight of after the step.
template <typename Lanes>
QUERN_INLINE F32x16 Step(const AdamWArgs& args, int64_t i, Lanes lanes) {
  F32x16 g = Load(args.grad + i, lanes, Zero()) * Broadcast(args.grad_scale);
  F32x16 m = Fma(Broadcast(args.beta1), Load(args.m + i, lanes, Zero()), Broadcast(args.one_minus_beta1) * g);
  F32x16 v = Fma(Broadcast(args.beta2), Load(args.v + i, lanes, Zero()), Broadcast(args.one_minus_beta2) * g * g);
  F32x16 denominator = Fma(Sqrt(v), Broadcast(args.inverse_correction), Broadcast(args.eps));
  F32x16 decayed = Load(args.master + i, lanes, Zero()) * Broadcast(args.decay);
  Store(args.m + i, lanes, m);
  Store(args.v + i, lanes, v);
  return decayed - Broadcast(args.step_size) * m / denominator;
}

}  // namespace

void AdamW(const AdamWArgs& given, int64_t begin, int64_t end) {
  const AdamWArgs args = given;  // a local copy: no store can change it
  ForEachVector(begin, end, [&](int64_t i, auto lanes) {
    F32x16 w = Step(args, i, lanes);
    Store(args.master + i, lanes, w);
    if (args.f32_parameter != nullptr) Store(args.f32_parameter + i, lanes, w);
    if (args.bf16_parameter != nullptr) StoreBf16To(args.bf16_parameter + i, lanes, w);
  });
}

}  // namespace QUERN_ISA
}  // namespace quern
