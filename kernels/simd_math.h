// Elementary functions on F32x16: ours, so that every instruction set gives the same bits, with exact values at 0 and -inf.
#ifndef QUERN_KERNELS_SIMD_MATH_H_
#define QUERN_KERNELS_SIMD_MATH_H_

#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// e^x, at most 1 ulp off in the normal range. Exactly 1 at 0, 0 at -inf and below -103.98, inf above 88.73; NaN stays NaN;
// results below 2^-126 are denormal, not flushed.
// x = n ln 2 + r with |r| <= ln(2)/2 (Cody and Waite's two-part ln 2), then a degree-6 polynomial in r.
QUERN_INLINE F32x16 Exp(F32x16 x) {
  // The bound is the first operand of Max and Min: NaN in x survives.
  F32x16 bounded = Min(Broadcast(88.8f), Max(Broadcast(-104.0f), x));
  F32x16 n = Round(bounded * Broadcast(1.44269504f));
  F32x16 r = Fma(n, Broadcast(-0.693359375f), bounded);
  r = Fma(n, Broadcast(2.12194440e-4f), r);
  F32x16 p = Broadcast(1.38888889e-3f);
  p = Fma(p, r, Broadcast(8.33333333e-3f));
  p = Fma(p, r, Broadcast(4.16666667e-2f));
  p = Fma(p, r, Broadcast(1.66666667e-1f));
  p = Fma(p, r, Broadcast(5.0e-1f));
  p = Fma(p, r, Broadcast(1.0f));
  p = Fma(p, r, Broadcast(1.0f));
  // 2^n in two factors: n reaches 128 and -150.
  F32x16 half = Floor(n * Broadcast(0.5f));
  F32x16 y = p * Pow2(half) * Pow2(n - half);
  y = Select(x < Broadcast(-103.98f), Zero(), y);
  return Select(x > Broadcast(88.7228394f), Broadcast(__builtin_inff()), y);
}

}  // namespace
}  // namespace QUERN_ISA
}  // namespace quern

#endif  // QUERN_KERNELS_SIMD_MATH_H_
