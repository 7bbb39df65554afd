// Elementary functions on F32x16: ours, so that every instruction set gives the same bits, with exact values at 0 and
// at the infinities. NaN stays NaN; denormals are not flushed. The errors stated are the greatest over all floats,
// against libm in double; simd_math_test holds them on a dense sweep.
#ifndef QUERN_KERNELS_SIMD_MATH_H_
#define QUERN_KERNELS_SIMD_MATH_H_

#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// a 2^n, rounded once (a denormal result too), for integral n in [-252, 254]; a in [1/2, 2] or NaN.
QUERN_INLINE F32x16 TimesPow2(F32x16 a, F32x16 n) {
#ifdef QUERN_AVX512
  return {_mm512_scalef_ps(a.v, n.v)};
#else
  F32x16 half = Floor(n * Broadcast(0.5f));  // the first product is exact
  return a * Pow2(half) * Pow2(n - half);
#endif
}

// x = mantissa 2^exponent, mantissa in [sqrt(1/2), sqrt(2)), for normal x > 0.
struct SplitFloat {
  F32x16 mantissa, exponent;
};
QUERN_INLINE SplitFloat Split(F32x16 x) {
  constexpr int kSqrtHalf = 0x3F3504F3;
#ifdef QUERN_AVX512
  __m512i above = _mm512_sub_epi32(_mm512_castps_si512(x.v), _mm512_set1_epi32(kSqrtHalf));
  __m512i mantissa =
      _mm512_add_epi32(_mm512_and_si512(above, _mm512_set1_epi32(0x7FFFFF)), _mm512_set1_epi32(kSqrtHalf));
  return {{_mm512_castsi512_ps(mantissa)}, {_mm512_cvtepi32_ps(_mm512_srai_epi32(above, 23))}};
#else
  __m256i root = _mm256_set1_epi32(kSqrtHalf), low = _mm256_set1_epi32(0x7FFFFF);
  __m256i above_lo = _mm256_sub_epi32(_mm256_castps_si256(x.lo), root);
  __m256i above_hi = _mm256_sub_epi32(_mm256_castps_si256(x.hi), root);
  return {{_mm256_castsi256_ps(_mm256_add_epi32(_mm256_and_si256(above_lo, low), root)),
           _mm256_castsi256_ps(_mm256_add_epi32(_mm256_and_si256(above_hi, low), root))},
          {_mm256_cvtepi32_ps(_mm256_srai_epi32(above_lo, 23)), _mm256_cvtepi32_ps(_mm256_srai_epi32(above_hi, 23))}};
#endif
}

// e^x, at most 1 ulp off. Exactly 1 at 0, 0 at -inf, inf at inf; 0 below -103.98, inf above 88.73.
// x = n ln 2 + r with |r| <= ln(2)/2 (Cody and Waite's two-part ln 2), then 1 + r + r^2 q(r), q minimax of degree 4.
QUERN_INLINE F32x16 Exp(F32x16 x) {
  // The bound is the first operand of Max and Min: NaN in x survives.
  F32x16 bounded = Min(Broadcast(88.8f), Max(Broadcast(-104.0f), x));
  F32x16 n = Round(bounded * Broadcast(1.44269504f));
  F32x16 r = Fma(n, Broadcast(-0.693359375f), bounded);
  r = Fma(n, Broadcast(2.12194440e-4f), r);
  F32x16 p = Broadcast(1.38144755e-3f);
  p = Fma(p, r, Broadcast(8.36875089e-3f));
  p = Fma(p, r, Broadcast(4.16683921e-2f));
  p = Fma(p, r, Broadcast(1.66665203e-1f));
  p = Fma(p, r, Broadcast(4.99999934e-1f));
  p = Fma(p, r, Broadcast(1.0f));
  p = Fma(p, r, Broadcast(1.0f));
  return TimesPow2(p, n);
}

// 2^x for x <= 0, at most 1 ulp off: exactly 1 at 0, exactly 0 below -126 and at -inf, NaN for NaN. For weights and
// densities: ones that small count for nothing, so no denormals are made. Minimax polynomial of degree 6 on [-1/2, 1/2]
// through (0, 1), relative error 3e-9 before rounding.
QUERN_INLINE F32x16 Exp2(F32x16 x) {
  F32x16 n = Round(x), r = x - n;
  F32x16 p = Broadcast(1.55946776e-4f);
  p = Fma(p, r, Broadcast(1.34066446e-3f));
  p = Fma(p, r, Broadcast(9.61769297e-3f));
  p = Fma(p, r, Broadcast(5.55031055e-2f));
  p = Fma(p, r, Broadcast(2.40226528e-1f));
  p = Fma(p, r, Broadcast(6.93147215e-1f));
  p = Fma(p, r, Broadcast(1.0f));
  return Select(x < Broadcast(-126.0f), Zero(), p * Pow2(n));
}

// Natural logarithm, at most 1 ulp off. Exactly 0 at 1, -inf at 0 and -0, inf at inf; NaN below 0.
// x = 2^k (1 + f), then log(1 + f) = f - f^2/2 + f^3 q(f), q minimax of degree 7.
QUERN_INLINE F32x16 Log(F32x16 x) {
  Mask16 tiny = x < Broadcast(0x1p-126f);
  SplitFloat s = Split(Select(tiny, x * Broadcast(0x1p23f), x));
  F32x16 k = s.exponent - Select(tiny, Broadcast(23.0f), Broadcast(0.0f)), f = s.mantissa - Broadcast(1.0f);
  F32x16 q = Broadcast(-7.63441946e-2f);
  q = Fma(q, f, Broadcast(1.27615505e-1f));
  q = Fma(q, f, Broadcast(-1.31601929e-1f));
  q = Fma(q, f, Broadcast(1.42017614e-1f));
  q = Fma(q, f, Broadcast(-1.66233574e-1f));
  q = Fma(q, f, Broadcast(2.00012268e-1f));
  q = Fma(q, f, Broadcast(-2.50008210e-1f));
  q = Fma(q, f, Broadcast(3.33333317e-1f));
  F32x16 square = f * f;
  F32x16 small = Fma(k, Broadcast(-2.12194440e-4f), square * f * q);
  small = Fma(square, Broadcast(-0.5f), small);
  F32x16 y = Fma(k, Broadcast(0.693359375f), f + small);
  const F32x16 infinity = Broadcast(__builtin_inff());
  F32x16 beyond = Select(x < Broadcast(0.0f), Broadcast(__builtin_nanf("")), x - infinity);
  y = Select(x > Broadcast(0.0f), y, beyond);
  return Select(x > Broadcast(3.40282347e38f), infinity, y);
}

// 1 / (1 + e^-x), at most 3 ulp off, without overflow: 0 at -inf, 1/2 at 0, 1 at inf.
QUERN_INLINE F32x16 Sigmoid(F32x16 x) {
  F32x16 e = Exp(-Abs(x)), one = Broadcast(1.0f);
  return Select(x < Zero(), e, one) / (one + e);
}

// The odd function |x| p(x^2) / q(x^2) for |x| <= bound, never above 1; 1 beyond. The sign is x's.
QUERN_INLINE F32x16 OddBounded(F32x16 x, F32x16 p, F32x16 q, float bound) {
  F32x16 magnitude = Abs(x), one = Broadcast(1.0f);
  F32x16 y = Min(one, magnitude * p / q);
  return CopySign(Select(magnitude > Broadcast(bound), one, y), x);
}

// Hyperbolic tangent, at most 5 ulp off. tanh(0) is 0 with x's sign; exactly 1 or -1 from |x| = 9.02 on.
// x p(x^2) / q(x^2), minimax of degrees 5 and 4.
QUERN_INLINE F32x16 Tanh(F32x16 x) {
  F32x16 t = x * x;
  F32x16 p = Broadcast(-1.22039275e-11f);
  p = Fma(p, t, Broadcast(3.05857423e-8f));
  p = Fma(p, t, Broadcast(2.80077908e-5f));
  p = Fma(p, t, Broadcast(3.86834518e-3f));
  p = Fma(p, t, Broadcast(1.36799292e-1f));
  p = Fma(p, t, Broadcast(1.0f));
  F32x16 q = Broadcast(1.28738875e-6f);
  q = Fma(q, t, Broadcast(3.93866114e-4f));
  q = Fma(q, t, Broadcast(2.72459035e-2f));
  q = Fma(q, t, Broadcast(4.70132613e-1f));
  q = Fma(q, t, Broadcast(1.0f));
  return OddBounded(x, p, q, 9.02f);
}

// The error function, at most 5 ulp off. erf(0) is 0 with x's sign; exactly 1 or -1 from |x| = 3.925 on.
// x p(x^2) / q(x^2), minimax of degrees 6 and 5.
QUERN_INLINE F32x16 Erf(F32x16 x) {
  F32x16 t = x * x;
  F32x16 p = Broadcast(-1.28249018e-8f);
  p = Fma(p, t, Broadcast(4.61376654e-6f));
  p = Fma(p, t, Broadcast(3.76936606e-4f));
  p = Fma(p, t, Broadcast(3.83966197e-3f));
  p = Fma(p, t, Broadcast(5.42495946e-2f));
  p = Fma(p, t, Broadcast(1.85148838e-1f));
  p = Fma(p, t, Broadcast(1.12837917f));
  F32x16 q = Broadcast(6.24416899e-5f);
  q = Fma(q, t, Broadcast(1.30197283e-3f));
  q = Fma(q, t, Broadcast(1.54327606e-2f));
  q = Fma(q, t, Broadcast(1.13882736e-1f));
  q = Fma(q, t, Broadcast(4.97417292e-1f));
  q = Fma(q, t, Broadcast(1.0f));
  return OddBounded(x, p, q, 3.925f);
}

}  // namespace
}  // namespace QUERN_ISA
}  // namespace quern

#endif  // QUERN_KERNELS_SIMD_MATH_H_
