// Packing: operands rewritten so that the register tile reads them in order.
#ifndef QUERN_KERNELS_MATMUL_MATMUL_PACK_H_
#define QUERN_KERNELS_MATMUL_MATMUL_PACK_H_

#include "kernels/matmul/matmul_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// Rows of a register tile, at most: sixteen of 32 registers hold its chains, or twelve of 16.
#ifdef QUERN_AVX512
inline constexpr int64_t kTileRows = 8;
#else
inline constexpr int64_t kTileRows = 6;
#endif

QUERN_INLINE int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }

// `rows` of a block cut into as few tiles as possible, as even as possible: the first `tall` have a row more than the
// others.
struct Tiling {
  explicit Tiling(int64_t block_rows)
      : tiles((block_rows + kTileRows - 1) / kTileRows), rows(block_rows / tiles), tall(block_rows % tiles) {
#ifdef QUERN_AVX512
    wide = true;
#else
    wide = Rows(0) <= 3;
#endif
  }
  int64_t Rows(int64_t t) const { return rows + (t < tall ? 1 : 0); }
  int64_t First(int64_t t) const { return t * rows + Min(t, tall); }
  int64_t tiles, rows, tall;
  bool wide;  // whether a tile takes both halves of a panel
};

// 8 rows of 8 floats, `from_row` apart, into 8 rows kLanes apart, transposed. Rows from `rows` on count as zeros.
QUERN_INLINE void Transpose8(const float* from, int64_t from_row, int64_t rows, float* to) {
  __m256 r[8], t[8];
#pragma GCC unroll 8
  for (int i = 0; i < 8; ++i) r[i] = i < rows ? _mm256_loadu_ps(from + i * from_row) : _mm256_setzero_ps();
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    t[2 * i] = _mm256_unpacklo_ps(r[2 * i], r[2 * i + 1]);
    t[2 * i + 1] = _mm256_unpackhi_ps(r[2 * i], r[2 * i + 1]);
  }
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * kLanes, _mm256_permute2f128_ps(r[i], r[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * kLanes, _mm256_permute2f128_ps(r[i], r[i + 4], 0x31));
  }
}

// One panel of a b whose k are neighbours.
QUERN_INLINE void PackColumns(const float* b, int64_t b_column, int64_t k, int64_t columns, float* panel) {
  int64_t k0 = 0;
  for (; k0 + 16 <= k; k0 += 16) {
    for (int64_t j = 0; j < kPanel; j += 8) {
      const float* from = b + (j < columns ? j * b_column : 0) + k0;
      float* to = panel + (j / kLanes * k + k0) * kLanes + j % kLanes;
      for (int64_t i = 0; i < 8; ++i) __builtin_prefetch(from + i * b_column + 32);
      Transpose8(from, b_column, columns - j, to);
      Transpose8(from + 8, b_column, columns - j, to + 8 * kLanes);
    }
  }
  for (; k0 < k; ++k0) {
    for (int64_t j = 0; j < kPanel; ++j) {
      panel[(j / kLanes * k + k0) * kLanes + j % kLanes] = j < columns ? b[j * b_column + k0] : 0.0f;
    }
  }
}

// Panels of a b whose columns are neighbours. Few at a time: their next lines often share a set of the first cache.
QUERN_INLINE void PackRows(const float* b, int64_t b_k, int64_t k, int64_t columns, float* panels) {
  for (int64_t i = 0; i < k; ++i) {
    const float* from = b + i * b_k;
    float* to = panels + i * kLanes;
    for (int64_t j = 0; j < columns; j += kLanes, to += k * kLanes) {
      __builtin_prefetch(from + j + 8 * b_k);
      Store(to, LoadFirst(from + j, columns - j, Zero()));
    }
    if ((columns - 1) % kPanel < kLanes) Store(to, Zero());
  }
}

// `columns` of b into panels.
void PackB(const float* b, int64_t b_k, int64_t b_column, int64_t k, int64_t columns, float* panels) {
  if (b_column != 1) {
    for (int64_t j = 0; j < columns; j += kPanel) {
      PackColumns(b + j * b_column, b_column, k, columns - j, panels + j * k);
    }
    return;
  }
  constexpr int64_t kGroup = 4 * kPanel;
  for (int64_t j = 0; j < columns; j += kGroup) PackRows(b + j, b_k, k, Min(kGroup, columns - j), panels + j * k);
}

// `tiles` tiles of kRows rows of an a whose rows are neighbours, each into [k][kRows]. Eight k at a time: as many lines
// of a as one set of the first cache holds, in case a_k is a multiple of its size.
template <int kRows>
void PackTiles(const float* a, int64_t a_k, int64_t k, int64_t tiles, float* to) {
  for (int64_t k0 = 0; k0 < k; k0 += 8) {
    const int64_t count = Min(8, k - k0);
    for (int64_t t = 0; t < tiles; ++t) {
      const float* from = a + k0 * a_k + t * kRows;
      float* out = to + (t * k + k0) * kRows;
      for (int64_t i = 0; i < count; ++i) __builtin_prefetch(from + (i + 8) * a_k);
      for (int64_t i = 0; i < count; ++i) __builtin_memcpy(out + i * kRows, from + i * a_k, kRows * sizeof(float));
    }
  }
}

void PackTiles(const float* a, int64_t a_k, int64_t k, int64_t rows, int64_t tiles, float* to) {
  switch (rows) {
    case 1:
      return PackTiles<1>(a, a_k, k, tiles, to);
    case 2:
      return PackTiles<2>(a, a_k, k, tiles, to);
    case 3:
      return PackTiles<3>(a, a_k, k, tiles, to);
    case 4:
      return PackTiles<4>(a, a_k, k, tiles, to);
    case 5:
      return PackTiles<5>(a, a_k, k, tiles, to);
    case 6:
      return PackTiles<6>(a, a_k, k, tiles, to);
    case 7:
      return PackTiles<7>(a, a_k, k, tiles, to);
    case 8:
      return PackTiles<8>(a, a_k, k, tiles, to);
  }
}

void PackA(const float* a, int64_t a_k, int64_t k, const Tiling& tiling, float* to) {
  const int64_t tall = tiling.First(tiling.tall);
  PackTiles(a, a_k, k, tiling.rows + 1, tiling.tall, to);
  PackTiles(a + tall, a_k, k, tiling.rows, tiling.tiles - tiling.tall, to + tall * k);
}

}  // namespace
}  // namespace QUERN_ISA
}  // namespace quern

#endif  // QUERN_KERNELS_MATMUL_MATMUL_PACK_H_
