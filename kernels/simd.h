// F32x16: sixteen f32 lanes, one AVX-512 register or two AVX2 registers. The same operations in the same order on the
// same lanes give the same bits on both.
//
// For *_cpu.cc units only, which are compiled once per instruction set into namespace quern::QUERN_ISA. Everything here
// has internal linkage: an AVX-512 copy of an inline function that the linker keeps would crash a machine without it.
// No reciprocal estimates; multiply-adds are fused only where Fma says so (-ffp-contract=off).
#ifndef QUERN_KERNELS_SIMD_H_
#define QUERN_KERNELS_SIMD_H_

#include <immintrin.h>

#include <cstdint>

#define QUERN_INLINE static inline __attribute__((always_inline, unused))

namespace quern {
namespace QUERN_ISA {
namespace {

inline constexpr int kLanes = 16;

#ifdef QUERN_AVX512

struct F32x16 {
  __m512 v;
};
struct Mask16 {
  __mmask16 m;
};

QUERN_INLINE __mmask16 FirstMask(int64_t n) {
  return n >= 16 ? static_cast<__mmask16>(0xFFFF) : static_cast<__mmask16>((1u << (n > 0 ? n : 0)) - 1);
}
QUERN_INLINE F32x16 Broadcast(float x) { return {_mm512_set1_ps(x)}; }
QUERN_INLINE F32x16 Load(const float* p) { return {_mm512_loadu_ps(p)}; }
// The first n lanes from p; the others from `fill` (the identity of what follows). Reads nothing beyond p + n.
QUERN_INLINE F32x16 LoadFirst(const float* p, int64_t n, F32x16 fill) {
  return {_mm512_mask_loadu_ps(fill.v, FirstMask(n), p)};
}
QUERN_INLINE void Store(float* p, F32x16 a) { _mm512_storeu_ps(p, a.v); }
QUERN_INLINE void StoreFirst(float* p, int64_t n, F32x16 a) { _mm512_mask_storeu_ps(p, FirstMask(n), a.v); }
QUERN_INLINE F32x16 operator+(F32x16 a, F32x16 b) { return {_mm512_add_ps(a.v, b.v)}; }
QUERN_INLINE F32x16 operator-(F32x16 a, F32x16 b) { return {_mm512_sub_ps(a.v, b.v)}; }
QUERN_INLINE F32x16 operator*(F32x16 a, F32x16 b) { return {_mm512_mul_ps(a.v, b.v)}; }
QUERN_INLINE F32x16 operator/(F32x16 a, F32x16 b) { return {_mm512_div_ps(a.v, b.v)}; }
QUERN_INLINE F32x16 operator-(F32x16 a) { return {_mm512_xor_ps(a.v, _mm512_set1_ps(-0.0f))}; }
// a * b + c, rounded once.
QUERN_INLINE F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
// The second operand where either is NaN, as the instruction does.
QUERN_INLINE F32x16 Max(F32x16 a, F32x16 b) { return {_mm512_max_ps(a.v, b.v)}; }
QUERN_INLINE F32x16 Min(F32x16 a, F32x16 b) { return {_mm512_min_ps(a.v, b.v)}; }
QUERN_INLINE F32x16 Sqrt(F32x16 a) { return {_mm512_sqrt_ps(a.v)}; }
QUERN_INLINE F32x16 Abs(F32x16 a) { return {_mm512_abs_ps(a.v)}; }
// To the nearest integer, ties to even.
QUERN_INLINE F32x16 Round(F32x16 a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
QUERN_INLINE F32x16 Floor(F32x16 a) { return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC)}; }
QUERN_INLINE Mask16 operator<(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
QUERN_INLINE Mask16 operator>(F32x16 a, F32x16 b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_GT_OQ)}; }
QUERN_INLINE Mask16 IsNan(F32x16 a) { return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)}; }
// a where the mask is set, else b.
QUERN_INLINE F32x16 Select(Mask16 mask, F32x16 a, F32x16 b) { return {_mm512_mask_blend_ps(mask.m, b.v, a.v)}; }
QUERN_INLINE F32x16 CopySign(F32x16 magnitude, F32x16 sign) {
  __m512 bit = _mm512_set1_ps(-0.0f);
  return {_mm512_or_ps(_mm512_andnot_ps(bit, magnitude.v), _mm512_and_ps(bit, sign.v))};
}
// 2^n for integral n in [-126, 127].
QUERN_INLINE F32x16 Pow2(F32x16 n) {
  return {
      _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127)), 23))};
}
QUERN_INLINE void Halves(F32x16 a, __m256* lo, __m256* hi) {
  *lo = _mm512_castps512_ps256(a.v);
  *hi = _mm512_extractf32x8_ps(a.v, 1);
}
// bf16 storage: exact widening; rounding to nearest even, NaN kept quiet.
QUERN_INLINE F32x16 LoadBf16(const uint16_t* p) {
  return {_mm512_castsi512_ps(
      _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))), 16))};
}
QUERN_INLINE void StoreBf16(uint16_t* p, F32x16 a) {
  __m512i u = _mm512_castps_si512(a.v);
  __m512i odd = _mm512_and_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(1));
  __m512i rounded = _mm512_srli_epi32(_mm512_add_epi32(u, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7FFF))), 16);
  __m512i nan = _mm512_or_si512(_mm512_srli_epi32(u, 16), _mm512_set1_epi32(0x40));
  rounded = _mm512_mask_blend_epi32(IsNan(a).m, rounded, nan);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(rounded));
}

#else  // AVX2 and FMA

struct F32x16 {
  __m256 lo, hi;
};
struct Mask16 {
  __m256 lo, hi;
};

QUERN_INLINE __m256i FirstMask8(int64_t n) {
  int k = n >= 8 ? 8 : (n > 0 ? static_cast<int>(n) : 0);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(k), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
QUERN_INLINE F32x16 Broadcast(float x) { return {_mm256_set1_ps(x), _mm256_set1_ps(x)}; }
QUERN_INLINE F32x16 Load(const float* p) { return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)}; }
QUERN_INLINE F32x16 LoadFirst(const float* p, int64_t n, F32x16 fill) {
  if (n >= kLanes) return Load(p);
  __m256i lo = FirstMask8(n), hi = FirstMask8(n - 8);
  return {_mm256_blendv_ps(fill.lo, _mm256_maskload_ps(p, lo), _mm256_castsi256_ps(lo)),
          _mm256_blendv_ps(fill.hi, _mm256_maskload_ps(p + 8, hi), _mm256_castsi256_ps(hi))};
}
QUERN_INLINE void Store(float* p, F32x16 a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
QUERN_INLINE void StoreFirst(float* p, int64_t n, F32x16 a) {
  if (n >= kLanes) return Store(p, a);  // a masked store takes a dozen cycles on Zen
  _mm256_maskstore_ps(p, FirstMask8(n), a.lo);
  _mm256_maskstore_ps(p + 8, FirstMask8(n - 8), a.hi);
}
QUERN_INLINE F32x16 operator+(F32x16 a, F32x16 b) { return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)}; }
QUERN_INLINE F32x16 operator-(F32x16 a, F32x16 b) { return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)}; }
QUERN_INLINE F32x16 operator*(F32x16 a, F32x16 b) { return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)}; }
QUERN_INLINE F32x16 operator/(F32x16 a, F32x16 b) { return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)}; }
QUERN_INLINE F32x16 operator-(F32x16 a) {
  __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_xor_ps(a.lo, bit), _mm256_xor_ps(a.hi, bit)};
}
QUERN_INLINE F32x16 Fma(F32x16 a, F32x16 b, F32x16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
QUERN_INLINE F32x16 Max(F32x16 a, F32x16 b) { return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)}; }
QUERN_INLINE F32x16 Min(F32x16 a, F32x16 b) { return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)}; }
QUERN_INLINE F32x16 Sqrt(F32x16 a) { return {_mm256_sqrt_ps(a.lo), _mm256_sqrt_ps(a.hi)}; }
QUERN_INLINE F32x16 Abs(F32x16 a) {
  __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_andnot_ps(bit, a.lo), _mm256_andnot_ps(bit, a.hi)};
}
QUERN_INLINE F32x16 Round(F32x16 a) {
  constexpr int kMode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.lo, kMode), _mm256_round_ps(a.hi, kMode)};
}
QUERN_INLINE F32x16 Floor(F32x16 a) {
  constexpr int kMode = _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.lo, kMode), _mm256_round_ps(a.hi, kMode)};
}
QUERN_INLINE Mask16 operator<(F32x16 a, F32x16 b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)};
}
QUERN_INLINE Mask16 operator>(F32x16 a, F32x16 b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_GT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_GT_OQ)};
}
QUERN_INLINE Mask16 IsNan(F32x16 a) {
  return {_mm256_cmp_ps(a.lo, a.lo, _CMP_UNORD_Q), _mm256_cmp_ps(a.hi, a.hi, _CMP_UNORD_Q)};
}
QUERN_INLINE F32x16 Select(Mask16 mask, F32x16 a, F32x16 b) {
  return {_mm256_blendv_ps(b.lo, a.lo, mask.lo), _mm256_blendv_ps(b.hi, a.hi, mask.hi)};
}
QUERN_INLINE F32x16 CopySign(F32x16 magnitude, F32x16 sign) {
  __m256 bit = _mm256_set1_ps(-0.0f);
  return {_mm256_or_ps(_mm256_andnot_ps(bit, magnitude.lo), _mm256_and_ps(bit, sign.lo)),
          _mm256_or_ps(_mm256_andnot_ps(bit, magnitude.hi), _mm256_and_ps(bit, sign.hi))};
}
QUERN_INLINE __m256 Pow2Half(__m256 n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
QUERN_INLINE F32x16 Pow2(F32x16 n) { return {Pow2Half(n.lo), Pow2Half(n.hi)}; }
QUERN_INLINE void Halves(F32x16 a, __m256* lo, __m256* hi) {
  *lo = a.lo;
  *hi = a.hi;
}
QUERN_INLINE __m256 WidenBf16(const uint16_t* p) {
  return _mm256_castsi256_ps(
      _mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))), 16));
}
QUERN_INLINE F32x16 LoadBf16(const uint16_t* p) { return {WidenBf16(p), WidenBf16(p + 8)}; }
QUERN_INLINE __m128i NarrowBf16(__m256 a) {
  __m256i u = _mm256_castps_si256(a);
  __m256i odd = _mm256_and_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(1));
  __m256i rounded = _mm256_srli_epi32(_mm256_add_epi32(u, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7FFF))), 16);
  __m256i nan = _mm256_or_si256(_mm256_srli_epi32(u, 16), _mm256_set1_epi32(0x40));
  rounded = _mm256_blendv_epi8(rounded, nan, _mm256_castps_si256(_mm256_cmp_ps(a, a, _CMP_UNORD_Q)));
  __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32(rounded, rounded), 0x08);
  return _mm256_castsi256_si128(packed);
}
QUERN_INLINE void StoreBf16(uint16_t* p, F32x16 a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), NarrowBf16(a.lo));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), NarrowBf16(a.hi));
}

#endif

// Reductions: a fixed tree over the sixteen lanes, 16 -> 8 -> 4 -> 2 -> 1 by halves.
QUERN_INLINE float ReduceSum(F32x16 a) {
  __m256 lo, hi;
  Halves(a, &lo, &hi);
  __m256 s8 = _mm256_add_ps(lo, hi);
  __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
QUERN_INLINE float ReduceMax(F32x16 a) {
  __m256 lo, hi;
  Halves(a, &lo, &hi);
  __m256 m8 = _mm256_max_ps(lo, hi);
  __m128 m4 = _mm_max_ps(_mm256_castps256_ps128(m8), _mm256_extractf128_ps(m8, 1));
  __m128 m2 = _mm_max_ps(m4, _mm_movehl_ps(m4, m4));
  return _mm_cvtss_f32(_mm_max_ss(m2, _mm_movehdup_ps(m2)));
}

QUERN_INLINE F32x16 Zero() { return Broadcast(0.0f); }
// The identity of Max.
QUERN_INLINE F32x16 Lowest() { return Broadcast(-__builtin_inff()); }
QUERN_INLINE float FirstLane(F32x16 a) {
  __m256 lo, hi;
  Halves(a, &lo, &hi);
  return _mm256_cvtss_f32(lo);
}

// body(i, lanes) for the vectors of [begin, end): all but the last few elements go unmasked.
//   ForEachVector(0, cols, [&](int64_t c, auto lanes) { Store(y + c, lanes, Load(x + c, lanes, Zero()) * scale); });
struct AllLanes {};
struct FirstLanes {
  int64_t n;
};
QUERN_INLINE F32x16 Load(const float* p, AllLanes, F32x16) { return Load(p); }
QUERN_INLINE F32x16 Load(const float* p, FirstLanes lanes, F32x16 fill) { return LoadFirst(p, lanes.n, fill); }
QUERN_INLINE void Store(float* p, AllLanes, F32x16 a) { Store(p, a); }
QUERN_INLINE void Store(float* p, FirstLanes lanes, F32x16 a) { StoreFirst(p, lanes.n, a); }
// Adds to what is there, or overwrites it.
template <typename Lanes>
QUERN_INLINE void StoreTo(float* p, Lanes lanes, F32x16 a, bool add) {
  if (add) a = Load(p, lanes, Zero()) + a;
  Store(p, lanes, a);
}
template <typename Body>
QUERN_INLINE void ForEachVector(int64_t begin, int64_t end, const Body& body) {
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) body(i, AllLanes{});
  if (i < end) body(i, FirstLanes{end - i});
}

// The greatest of `cols` elements, in every lane; NaN where one of them is NaN may be lost.
QUERN_INLINE F32x16 RowMax(const float* x, int64_t cols) {
  F32x16 max = Lowest();
  ForEachVector(0, cols, [&](int64_t c, auto lanes) { max = Max(max, Load(x + c, lanes, Lowest())); });
  return Broadcast(ReduceMax(max));
}

}  // namespace
}  // namespace QUERN_ISA
}  // namespace quern

#endif  // QUERN_KERNELS_SIMD_H_
