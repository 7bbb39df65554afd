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
  const float* a;  // a[i,k] is a[i * a_row + k * a_k]
  int64_t a_row, a_k;
  const float* b;  // b[k,j] is b[k * kPanel + j]
  int64_t k;
  const float* chains;  // what earlier blocks of k left, or null at the first
  int64_t chains_row;
  float* c;  // where the chains go: scratch, or the result at the last block of k
  int64_t c_row;
  int64_t columns;    // how many of them are there
  const float* bias;  // at the last block, or null
  bool add;           // at the last block
};

// kByRows: the elements of a row of a are neighbours; else those of a column.
template <int kRows, int kVectors, bool kByRows>
void RunTile(const Tile& t) {
  if (t.add) {
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) __builtin_prefetch(t.c + i * t.c_row + v * kLanes, /*for writing*/ 1);
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
  const int64_t a_row = kByRows ? t.a_row : 1, a_k = kByRows ? 1 : t.a_k;
  for (int64_t k = 0; k < t.k; ++k) {
    F32x16 right[kVectors];
    if constexpr (kVectors == 1) {  // every other line: no prefetcher follows that
      __builtin_prefetch(b + 16 * kPanel);
      __builtin_prefetch(b + 16 * kPanel + kLanes);
    }
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) right[v] = Load(b + v * kLanes);
#pragma GCC unroll 8
    for (int i = 0; i < kRows; ++i) {
      F32x16 left = Broadcast(a[i * a_row]);
#pragma GCC unroll 2
      for (int v = 0; v < kVectors; ++v) sums[i][v] = Fma(left, right[v], sums[i][v]);
    }
    a += a_k;
    b += kPanel;
  }
#pragma GCC unroll 8
  for (int i = 0; i < kRows; ++i) {
#pragma GCC unroll 2
    for (int v = 0; v < kVectors; ++v) {
      const int64_t left = t.columns - v * kLanes;
      float* c = t.c + i * t.c_row + v * kLanes;
      F32x16 sum = sums[i][v];
      if (t.bias != nullptr) sum = sum + LoadFirst(t.bias + v * kLanes, left, Zero());
      if (t.add) sum = LoadFirst(c, left, Zero()) + sum;
      StoreFirst(c, left, sum);
    }
  }
}

template <int kRows, bool kByRows>
QUERN_INLINE void RunPanel(Tile t) {
#ifdef QUERN_AVX512
  RunTile<kRows, 2, kByRows>(t);
#else
  if constexpr (kRows <= 3) return RunTile<kRows, 2, kByRows>(t);
  RunTile<kRows, 1, kByRows>(t);
  if (t.columns <= kLanes) return;
  t.b += kLanes;
  t.c += kLanes;
  if (t.chains != nullptr) t.chains += kLanes;
  if (t.bias != nullptr) t.bias += kLanes;
  t.columns -= kLanes;
  RunTile<kRows, 1, kByRows>(t);
#endif
}

template <bool kByRows>
QUERN_INLINE void RunPanel(const Tile& t, int64_t rows) {
  switch (rows) {
    case 1:
      return RunPanel<1, kByRows>(t);
    case 2:
      return RunPanel<2, kByRows>(t);
    case 3:
      return RunPanel<3, kByRows>(t);
    case 4:
      return RunPanel<4, kByRows>(t);
    case 5:
      return RunPanel<5, kByRows>(t);
    case 6:
      return RunPanel<6, kByRows>(t);
#ifdef QUERN_AVX512
    case 7:
      return RunPanel<7, kByRows>(t);
    case 8:
      return RunPanel<8, kByRows>(t);
#endif
  }
}

}  // namespace
}  // namespace QUERN_ISA
}  // namespace quern

#endif  // QUERN_KERNELS_MATMUL_MATMUL_TILE_H_
