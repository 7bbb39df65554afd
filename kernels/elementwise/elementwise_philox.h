// The words of base/rng.h, eight groups at a time with AVX-512, four with AVX2: integers, so the same on every instruction set. For *_cpu.cc units
// only.
#ifndef QUERN_KERNELS_ELEMENTWISE_ELEMENTWISE_PHILOX_H_
#define QUERN_KERNELS_ELEMENTWISE_ELEMENTWISE_PHILOX_H_

#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// Lanes of 64 bits, of which the rounds use the lower 32 as words of the counter.
#ifdef QUERN_AVX512
using U64 = __m512i;
inline constexpr int kGroups = 8;
QUERN_INLINE U64 Broadcast64(uint64_t x) { return _mm512_set1_epi64(static_cast<int64_t>(x)); }
QUERN_INLINE U64 Count64() { return _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7); }
QUERN_INLINE U64 Add64(U64 a, U64 b) { return _mm512_add_epi64(a, b); }
QUERN_INLINE U64 MulLow32(U64 a, U64 b) { return _mm512_mul_epu32(a, b); }
QUERN_INLINE U64 Xor64(U64 a, U64 b) { return _mm512_xor_si512(a, b); }
QUERN_INLINE U64 High32(U64 a) { return _mm512_srli_epi64(a, 32); }
QUERN_INLINE U64 LowAndHigh(U64 low, U64 high) {
  return _mm512_mask_blend_epi32(0xAAAA, low, _mm512_slli_epi64(high, 32));
}
// Words 0 and 1 of every group, and words 2 and 3: group after group.
QUERN_INLINE void StoreGroups(uint32_t* p, U64 w01, U64 w23) {
  const __m512i first = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11),
                second = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
  _mm512_storeu_si512(p, _mm512_permutex2var_epi64(w01, first, w23));
  _mm512_storeu_si512(p + 16, _mm512_permutex2var_epi64(w01, second, w23));
}
#else
using U64 = __m256i;
inline constexpr int kGroups = 4;
QUERN_INLINE U64 Broadcast64(uint64_t x) { return _mm256_set1_epi64x(static_cast<int64_t>(x)); }
QUERN_INLINE U64 Count64() { return _mm256_setr_epi64x(0, 1, 2, 3); }
QUERN_INLINE U64 Add64(U64 a, U64 b) { return _mm256_add_epi64(a, b); }
QUERN_INLINE U64 MulLow32(U64 a, U64 b) { return _mm256_mul_epu32(a, b); }
QUERN_INLINE U64 Xor64(U64 a, U64 b) { return _mm256_xor_si256(a, b); }
QUERN_INLINE U64 High32(U64 a) { return _mm256_srli_epi64(a, 32); }
QUERN_INLINE U64 LowAndHigh(U64 low, U64 high) { return _mm256_blend_epi32(low, _mm256_slli_epi64(high, 32), 0xAA); }
QUERN_INLINE void StoreGroups(uint32_t* p, U64 w01, U64 w23) {
  __m256i even = _mm256_unpacklo_epi64(w01, w23), odd = _mm256_unpackhi_epi64(w01, w23);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm256_permute2x128_si256(even, odd, 0x20));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p + 8), _mm256_permute2x128_si256(even, odd, 0x31));
}
#endif

// The 4 kGroups words of groups first, first + 1, ... Multiplications read the lower halves alone, so what the upper
// halves hold meanwhile does not matter.
QUERN_INLINE void PhiloxGroups(uint64_t first, const uint32_t counter_high[2], const uint32_t key[2], uint32_t* words) {
  const U64 m0 = Broadcast64(0xD2511F53u), m1 = Broadcast64(0xCD9E8D57u);
  U64 c0 = Add64(Broadcast64(first), Count64()), c1 = High32(c0);
  U64 c2 = Broadcast64(counter_high[0]), c3 = Broadcast64(counter_high[1]);
  uint32_t k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    U64 p0 = MulLow32(m0, c0), p1 = MulLow32(m1, c2);
    c0 = Xor64(Xor64(High32(p1), c1), Broadcast64(k0));
    c2 = Xor64(Xor64(High32(p0), c3), Broadcast64(k1));
    c1 = p1;
    c3 = p0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  StoreGroups(words, LowAndHigh(c0, c1), LowAndHigh(c2, c3));
}

}  // namespace
}  // namespace QUERN_ISA
}  // namespace quern

#endif  // QUERN_KERNELS_ELEMENTWISE_ELEMENTWISE_PHILOX_H_
