// The register tile: up to kTileRows rows by one or two vectors of sixteen columns, each output one chain in a
// register. Eight chains or more hide the latency of the multiply-add on every processor so far.
#ifndef QUERN_KERNELS_MATMUL_MATMUL_TILE_H_
#define QUERN_KERNELS_MATMUL_MATMUL_TILE_H_

#include "kernels/matmul/matmul_args.h"
#include "kernels/matmul/matmul_pack.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

struct Tile {
  const float* a;  // a[i,k] is a[i * a_row + k], or packed: [k][rows]
  int64_t a_row;
  const float* b;  // b[k,j] is b[k * kLanes + j], the second vector b_half further
  int64_t b_half;
  int64_t k;
  const float* chains;  // what earlier blocks of k left, or null at the first
  int64_t chains_row;
  float* c;  // where the chains go: scratch, or the result at the last block of k
  int64_t c_row;
  int64_t columns;      // how many of them are there
  const float* bias;    // at the last block, or null
  const float* addend;  // at the last block, or null
  int64_t addend_row;
};

// Chains to where they go; kWhole: all columns are there.
template <int kRows, int kVectors, bool kWhole>
QUERN_INLINE void Finish(const Tile& t, const F32x16 (&sums)[kRows][kVectors]) {
  auto left = [&](int v) { return kWhole ? kLanes : t.columns - v * kLanes; };
  F32x16 bias[kVectors];
  if (t.bias != nullptr) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) bias[v] = LoadFirst(t.bias + v * kLanes, left(v), Zero());
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      float* c = t.c + i * t.c_row + v * kLanes;
      F32x16 sum = sums[i][v];
      if (t.bias != nullptr) sum = sum + bias[v];
      if (t.addend != nullptr) {
        sum = LoadFirst(t.addend + i * t.addend_row + v * kLanes, left(v), Zero()) + sum;
      }
      StoreFirst(c, left(v), sum);
    }
  }
}

// kByRows: the elements of a row of a are neighbours; else those of a column.
template <int kRows, int kVectors, bool kByRows>
QUERN_INLINE void RunTile(const Tile& t) {
  if (t.addend != nullptr) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) __builtin_prefetch(t.addend + i * t.addend_row + v * kLanes);
    }
  }
  F32x16 sums[kRows][kVectors];
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      sums[i][v] = t.chains == nullptr
                       ? Zero()
                       : LoadFirst(t.chains + i * t.chains_row + v * kLanes, t.columns - v * kLanes, Zero());
    }
  }
  const float *a = t.a, *b = t.b;
  const int64_t a_row = kByRows ? t.a_row : 1, a_k = kByRows ? 1 : kRows;
  for (int64_t k = 0; k < t.k; ++k) {
    F32x16 right[kVectors];
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) right[v] = Load(b + v * t.b_half);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      F32x16 left = Broadcast(a[i * a_row]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[i][v] = Fma(left, right[v], sums[i][v]);
    }
    a += a_k;
    b += kLanes;
  }
  if (t.columns >= kVectors * kLanes) return Finish<kRows, kVectors, true>(t, sums);
  Finish<kRows, kVectors, false>(t, sums);
}

// `tiles` of them, one below the other; moves `t` on.
template <int kRows, int kVectors, bool kByRows>
void RunTiles(Tile& given, int64_t tiles) {
  Tile t = given;
  for (int64_t i = 0; i < tiles; ++i) {
    RunTile<kRows, kVectors, kByRows>(t);
    t.a += kRows * (kByRows ? t.a_row : t.k);
    t.c += kRows * t.c_row;
    if (t.chains != nullptr) t.chains += kRows * t.chains_row;
    if (t.addend != nullptr) t.addend += kRows * t.addend_row;
  }
  given = t;
}

template <int kRows, bool kByRows>
QUERN_INLINE void RunTiles(Tile& t, int64_t tiles, bool wide) {
#ifdef QUERN_AVX512
  RunTiles<kRows, 2, kByRows>(t, tiles);
#else
  if constexpr (kRows <= 3) {
    if (wide) return RunTiles<kRows, 2, kByRows>(t, tiles);
  }
  RunTiles<kRows, 1, kByRows>(t, tiles);
#endif
}

template <bool kByRows>
QUERN_INLINE void RunTiles(Tile& t, int64_t rows, int64_t tiles, bool wide) {
  if (tiles == 0) return;
  switch (rows) {
    case 1:
      return RunTiles<1, kByRows>(t, tiles, wide);
    case 2:
      return RunTiles<2, kByRows>(t, tiles, wide);
    case 3:
      return RunTiles<3, kByRows>(t, tiles, wide);
    case 4:
      return RunTiles<4, kByRows>(t, tiles, wide);
    case 5:
      return RunTiles<5, kByRows>(t, tiles, wide);
    case 6:
      return RunTiles<6, kByRows>(t, tiles, wide);
#ifdef QUERN_AVX512
    case 7:
      return RunTiles<7, kByRows>(t, tiles, wide);
    case 8:
      return RunTiles<8, kByRows>(t, tiles, wide);
#endif
  }
}

// All rows of a block.
template <bool kByRows>
QUERN_INLINE void RunTiles(Tile& t, const Tiling& tiling) {
  RunTiles<kByRows>(t, tiling.rows + 1, tiling.tall, tiling.wide);
  RunTiles<kByRows>(t, tiling.rows, tiling.tiles - tiling.tall, tiling.wide);
}

}  // namespace
}  // namespace QUERN_ISA
}  // namespace quern

#endif  // QUERN_KERNELS_MATMUL_MATMUL_TILE_H_
