// Sixteen columns at a time; compiled once per instruction set.
#include "kernels/matmul/matmul_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

QUERN_INLINE F32x16 LoadB(const MatmulArgs& args, int64_t k, int64_t j, int64_t left) {
  if (args.panels != nullptr) return Load(args.panels + (j / kPanel * args.k + k) * kPanel + j % kPanel);
  const float* b = args.b + k * args.b_k + j * args.b_column;
  if (args.b_column == 1) return LoadFirst(b, left, Zero());
  float lanes[kLanes] = {};
  for (int64_t l = 0; l < kLanes && l < left; ++l) lanes[l] = b[l * args.b_column];
  return Load(lanes);
}

}  // namespace

void MatmulTile(const MatmulArgs& args, const MatmulPart& part, float*) {
  for (int64_t i = part.row_begin; i < part.row_end; ++i) {
    for (int64_t j = part.column_begin; j < part.column_end; j += kLanes) {
      int64_t left = part.column_end - j;
      F32x16 sum = Zero();
      for (int64_t k = 0; k < args.k; ++k) {
        sum = Fma(Broadcast(args.a[i * args.a_row + k * args.a_k]), LoadB(args, k, j, left), sum);
      }
      if (args.bias != nullptr) sum = sum + LoadFirst(args.bias + j, left, Zero());
      float* c = args.c + i * args.c_row + j;
      if (args.add) sum = LoadFirst(c, left, Zero()) + sum;
      StoreFirst(c, left, sum);
    }
  }
}

void PackPanels(const float* b, int64_t b_k, int64_t b_column, int64_t k, int64_t n, float* panels, int64_t begin,
                int64_t end) {
  for (int64_t p = begin; p < end; ++p) {
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t j = p * kPanel; j < (p + 1) * kPanel; ++j) {
        panels[(p * k + i) * kPanel + j % kPanel] = j < n ? b[i * b_k + j * b_column] : 0.0f;
      }
    }
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
