// Sixteen pairs (halves) or eight pairs (interleaved) at a time; compiled once per instruction set.
//
// Either way a pair is (fma(a, cos, -(b * sin)), fma(b, cos, a * sin)), so both pairings round alike.
#include "kernels/rope/rope_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// (a0, a1, .., a7, ..) -> (a0, a0, a1, a1, .., a7, a7).
QUERN_INLINE F32x16 DuplicateFirstEight(F32x16 a) {
#ifdef QUERN_AVX512
  return {_mm512_permutexvar_ps(_mm512_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7), a.v)};
#else
  return {_mm256_permutevar8x32_ps(a.lo, _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)),
          _mm256_permutevar8x32_ps(a.lo, _mm256_setr_epi32(4, 4, 5, 5, 6, 6, 7, 7))};
#endif
}

// (a0, a1, a2, a3, ..) -> (a1, a0, a3, a2, ..).
QUERN_INLINE F32x16 SwapNeighbours(F32x16 a) {
#ifdef QUERN_AVX512
  return {_mm512_permute_ps(a.v, 0xB1)};
#else
  return {_mm256_permute_ps(a.lo, 0xB1), _mm256_permute_ps(a.hi, 0xB1)};
#endif
}

QUERN_INLINE F32x16 AlternatingSigns() {
#ifdef QUERN_AVX512
  return {_mm512_setr_ps(-1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1)};
#else
  return {_mm256_setr_ps(-1, 1, -1, 1, -1, 1, -1, 1), _mm256_setr_ps(-1, 1, -1, 1, -1, 1, -1, 1)};
#endif
}

QUERN_INLINE void Put(float* y, int64_t left, F32x16 value, bool add) {
  if (add) value = LoadFirst(y, left, Zero()) + value;
  StoreFirst(y, left, value);
}

// The direction is in `turn`: 1 or -1, by which sin is multiplied exactly.
QUERN_INLINE void TurnHalves(const float* x, float* y, const float* cos, const float* sin, int64_t half, float turn,
                             bool add) {
  for (int64_t i = 0; i < half; i += kLanes) {
    int64_t left = half - i;
    F32x16 c = LoadFirst(cos + i, left, Zero()), s = LoadFirst(sin + i, left, Zero()) * Broadcast(turn);
    F32x16 a = LoadFirst(x + i, left, Zero()), b = LoadFirst(x + half + i, left, Zero());
    Put(y + i, left, Fma(a, c, -(b * s)), add);
    Put(y + half + i, left, Fma(b, c, a * s), add);
  }
}

QUERN_INLINE void TurnInterleaved(const float* x, float* y, const float* cos, const float* sin, int64_t half,
                                  float turn, bool add) {
  const F32x16 signs = AlternatingSigns() * Broadcast(turn);
  for (int64_t i = 0; i < half; i += kLanes / 2) {
    int64_t pairs = half - i < kLanes / 2 ? half - i : kLanes / 2, left = 2 * pairs;
    F32x16 c = DuplicateFirstEight(LoadFirst(cos + i, pairs, Zero()));
    F32x16 s = DuplicateFirstEight(LoadFirst(sin + i, pairs, Zero())) * signs;
    F32x16 v = LoadFirst(x + 2 * i, left, Zero());
    Put(y + 2 * i, left, Fma(v, c, SwapNeighbours(v) * s), add);
  }
}

}  // namespace

void RopeTokens(const RopeArgs& args, int64_t begin, int64_t end) {
  const int64_t half = args.dim / 2;
  const float turn = args.backward ? -1.0f : 1.0f;
  for (int64_t n = begin; n < end; ++n) {
    const float *cos = args.cos + args.positions[n] * half, *sin = args.sin + args.positions[n] * half;
    for (int64_t h = 0; h < args.heads; ++h) {
      const float* x = args.x + n * args.x_token + h * args.x_head;
      float* y = args.y + n * args.y_token + h * args.y_head;
      if (args.interleaved) {
        TurnInterleaved(x, y, cos, sin, half, turn, args.add);
      } else {
        TurnHalves(x, y, cos, sin, half, turn, args.add);
      }
    }
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
