// What the forward and the backward unit share: products of small tiles, log, and the packing of keys. For
// per-instruction-set units only.
#ifndef QUERN_KERNELS_ATTENTION_ATTENTION_TILE_H_
#define QUERN_KERNELS_ATTENTION_ATTENTION_TILE_H_

#include "kernels/attention/attention_args.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace quern {
namespace QUERN_ISA {
namespace {

inline constexpr int64_t kBlock = kAttentionBlock;
inline constexpr int kGroup = 6;  // rows of one product tile: as many as leave the accumulators in registers
inline constexpr float kLog2E = 1.44269504f;
inline constexpr float kLn2 = 0.693147181f;
inline constexpr float kLowest = -3.40282347e38f;

// Columns of F32x16 beside `rows` rows.
constexpr int Vectors([[maybe_unused]] int rows) {
#ifdef QUERN_AVX512
  return 4;
#else
  return rows >= 4 ? 1 : rows >= 2 ? 2 : 4;
#endif
}

// c[r, j] (+)= sum_k a[r, k] b[k, j], k ascending from 0 to depths[r]: one chain of multiply-adds per element, whatever
// the tile.
struct Product {
  const float* a;  // element (r, k) at r * a_row + k * a_step
  int64_t a_row, a_step;
  const float* b;  // element (k, j) at k * b_row + j
  int64_t b_row;
  float* c;  // element (r, j) at r * c_row + j; written in whole vectors
  int64_t c_row;
  int64_t columns;
  const int32_t* depths;  // per row, not descending
  bool add = false;
  const float* ahead = nullptr;  // where b continues: read ahead, for few rows against long streams
};

// body(Index<0>()), body(Index<1>()), ..: unrolled before the compiler decides where arrays live, so that they live in
// registers.
template <int kIndex>
struct Index {
  static constexpr int value = kIndex;
};
template <int kCount, int kFrom = 0, typename Body>
QUERN_INLINE void Repeat(const Body& body) {
  if constexpr (kFrom < kCount) {
    body(Index<kFrom>());
    Repeat<kCount, kFrom + 1>(body);
  }
}
#define QUERN_LAMBDA_INLINE __attribute__((always_inline))

template <int kRows, int kVectors, bool kTail, bool kDiagonal, bool kAhead>
void MultiplyTile(const Product& p, int64_t column) {
  F32x16 sum[kRows][kVectors], row[kVectors];
  const int64_t left = p.columns - column, a_row = p.a_row, a_step = p.a_step, b_row = p.b_row, c_row = p.c_row;
  const float *a = p.a, *b = p.b + column;
  float* c = p.c + column;
  [[maybe_unused]] const int64_t distance = kAhead ? p.ahead - p.b : 0;
  auto load_row = [&]() QUERN_LAMBDA_INLINE {
    Repeat<kVectors>([&](auto v) QUERN_LAMBDA_INLINE {
      row[v.value] = kTail ? LoadFirst(b, left, Zero()) : Load(b + v.value * kLanes);
      if constexpr (kAhead) __builtin_prefetch(b + distance + v.value * kLanes, 0, 2);
    });
  };
  auto step = [&](auto r) QUERN_LAMBDA_INLINE {
    F32x16 x = Broadcast(a[r.value * a_row]);
    Repeat<kVectors>([&](auto v)
                         QUERN_LAMBDA_INLINE { sum[r.value][v.value] = Fma(x, row[v.value], sum[r.value][v.value]); });
  };
  if (p.add) {
    Repeat<kRows>([&](auto r) QUERN_LAMBDA_INLINE {
      Repeat<kVectors>(
          [&](auto v) QUERN_LAMBDA_INLINE { sum[r.value][v.value] = Load(c + r.value * c_row + v.value * kLanes); });
    });
  } else {
    Repeat<kRows>([&](auto r) QUERN_LAMBDA_INLINE {
      Repeat<kVectors>([&](auto v) QUERN_LAMBDA_INLINE { sum[r.value][v.value] = Zero(); });
    });
  }
  int64_t k = 0;
  for (const int64_t common = p.depths[0]; k < common; ++k, a += a_step, b += b_row) {
    load_row();
    Repeat<kRows>(step);
  }
  if constexpr (kDiagonal) {
    for (const int64_t longest = p.depths[kRows - 1]; k < longest; ++k, a += a_step, b += b_row) {
      load_row();
      Repeat<kRows>([&](auto r) QUERN_LAMBDA_INLINE {
        if (k < p.depths[r.value]) step(r);
      });
    }
  }
  Repeat<kRows>([&](auto r) QUERN_LAMBDA_INLINE {
    Repeat<kVectors>([&](auto v)
                         QUERN_LAMBDA_INLINE { Store(c + r.value * c_row + v.value * kLanes, sum[r.value][v.value]); });
  });
}

template <int kRows, bool kDiagonal, bool kAhead>
void MultiplyRows(const Product& p) {
  constexpr int kMost = Vectors(kRows);
  const int64_t whole = p.columns / kLanes * kLanes;
  int64_t j = 0;
  for (; j + kMost * kLanes <= whole; j += kMost * kLanes) MultiplyTile<kRows, kMost, false, kDiagonal, kAhead>(p, j);
  if constexpr (kMost > 1) {
    const int64_t vectors = (whole - j) / kLanes;
    Repeat<kMost>([&](auto v) QUERN_LAMBDA_INLINE {
      if constexpr (v.value > 0) {
        if (vectors == v.value) MultiplyTile<kRows, v.value, false, kDiagonal, kAhead>(p, j);
      }
    });
  }
  if (whole < p.columns) MultiplyTile<kRows, 1, true, kDiagonal, kAhead>(p, whole);
}

template <int kRows>
void MultiplyAny(const Product& p) {
  if (p.ahead != nullptr) return MultiplyRows<kRows, true, true>(p);
  if (p.depths[kRows - 1] == p.depths[0]) return MultiplyRows<kRows, false, false>(p);
  return MultiplyRows<kRows, true, false>(p);
}

// At most kGroup rows.
QUERN_INLINE void Multiply(const Product& p, int64_t rows) {
  switch (rows) {
    case 6:
      return MultiplyAny<6>(p);
    case 5:
      return MultiplyAny<5>(p);
    case 4:
      return MultiplyAny<4>(p);
    case 3:
      return MultiplyAny<3>(p);
    case 2:
      return MultiplyAny<2>(p);
    case 1:
      return MultiplyAny<1>(p);
    default:
      return;
  }
}

QUERN_INLINE int64_t WholeVectors(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }
QUERN_INLINE int64_t AtMost(int64_t a, int64_t b) { return a < b ? a : b; }

QUERN_INLINE void Prefetch(const float* row, int64_t floats) {
  for (int64_t i = 0; i < floats; i += kLanes) __builtin_prefetch(row + i);
}

// 0, 1, .., 15.
QUERN_INLINE F32x16 LaneNumbers() {
#ifdef QUERN_AVX512
  return {_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)};
#else
  return {_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7), _mm256_setr_ps(8, 9, 10, 11, 12, 13, 14, 15)};
#endif
}

// ln(2^m * x) for finite x > 0, the sum of a softmax over its maximum. NaN for NaN. The polynomial is Cephes's
// (Moshier, logf).
QUERN_INLINE F32x16 LogSumExp(F32x16 m, F32x16 x) {
  const SplitFloat split = Split(x);
  F32x16 f = split.mantissa - Broadcast(1.0f), square = f * f;
  F32x16 p = Broadcast(7.0376836e-2f);
  p = Fma(p, f, Broadcast(-1.1514610e-1f));
  p = Fma(p, f, Broadcast(1.1676998e-1f));
  p = Fma(p, f, Broadcast(-1.2420141e-1f));
  p = Fma(p, f, Broadcast(1.4249323e-1f));
  p = Fma(p, f, Broadcast(-1.6668058e-1f));
  p = Fma(p, f, Broadcast(2.0000715e-1f));
  p = Fma(p, f, Broadcast(-2.4999994e-1f));
  p = Fma(p, f, Broadcast(3.3333331e-1f));
  F32x16 log = Fma(p * f, square, Fma(square, Broadcast(-0.5f), f));
  return Select(IsNan(x), x, Fma(m + split.exponent, Broadcast(kLn2), log));
}

// Eight rows of eight floats, transposed: to[i * to_row + j] = from[j * from_row + i].
QUERN_INLINE void Transpose8x8(const float* from, int64_t from_row, float* to, int64_t to_row) {
  __m256 r[8], t[8];
  // Halves of rows j and j + 4 side by side, so that all further shuffles stay within halves.
  for (int j = 0; j < 4; ++j) {
    const float *upper = from + j * from_row, *lower = from + (j + 4) * from_row;
    r[j] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(upper)), _mm_loadu_ps(lower), 1);
    r[j + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(upper + 4)), _mm_loadu_ps(lower + 4), 1);
  }
  for (int j = 0; j < 8; j += 2) {
    t[j] = _mm256_unpacklo_ps(r[j], r[j + 1]);
    t[j + 1] = _mm256_unpackhi_ps(r[j], r[j + 1]);
  }
  for (int j = 0; j < 8; j += 4) {
    _mm256_storeu_ps(to + (j + 0) * to_row, _mm256_shuffle_ps(t[j], t[j + 2], 0x44));
    _mm256_storeu_ps(to + (j + 1) * to_row, _mm256_shuffle_ps(t[j], t[j + 2], 0xEE));
    _mm256_storeu_ps(to + (j + 2) * to_row, _mm256_shuffle_ps(t[j + 1], t[j + 3], 0x44));
    _mm256_storeu_ps(to + (j + 3) * to_row, _mm256_shuffle_ps(t[j + 1], t[j + 3], 0xEE));
  }
}

// to[d * kBlock + u] = from[u * from_row + d] for u < keys, d < dim. Writes nothing else. Asks for
// rows kAhead further on, unless that is 0.
template <int kAhead = 0>
QUERN_INLINE void PackKeys(const float* from, int64_t from_row, int64_t keys, int64_t dim, float* to) {
  int64_t u = 0;
  for (; u + 8 <= keys; u += 8) {
    for (int64_t i = 0; kAhead > 0 && i < 8; ++i) Prefetch(from + (u + i + kAhead) * from_row, dim);
    int64_t d = 0;
    for (; d + 8 <= dim; d += 8) Transpose8x8(from + u * from_row + d, from_row, to + d * kBlock + u, kBlock);
    for (; d < dim; ++d) {
      for (int64_t i = u; i < u + 8; ++i) to[d * kBlock + i] = from[i * from_row + d];
    }
  }
  for (; u < keys; ++u) {
    for (int64_t d = 0; d < dim; ++d) to[d * kBlock + u] = from[u * from_row + d];
  }
}

}  // namespace
}  // namespace QUERN_ISA
}  // namespace quern

#endif  // QUERN_KERNELS_ATTENTION_ATTENTION_TILE_H_
