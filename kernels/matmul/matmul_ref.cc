// The specification: one chain of fused multiply-adds per output, k ascending, from zero; then bias; then the addition.
#include <cmath>

#include "kernels/matmul/matmul_args.h"

namespace quern {
namespace ref {
namespace {

// Where element [i, j] of a matrix of k rows lies in its panels.
int64_t InPanels(int64_t i, int64_t j, int64_t k) {
  return j / kHalfPanel * kHalfPanel * k + i * kHalfPanel + j % kHalfPanel;
}

}  // namespace

void MatmulTile(const MatmulArgs& args, const MatmulPart& part) {
  for (int64_t i = part.row_begin; i < part.row_end; ++i) {
    for (int64_t j = part.column_begin; j < part.column_end; ++j) {
      float sum = 0;
      for (int64_t k = 0; k < args.k; ++k) {
        float b =
            args.panels != nullptr ? args.panels[InPanels(k, j, args.k)] : args.b[k * args.b_k + j * args.b_column];
        sum = std::fma(args.a[i * args.a_row + k * args.a_k], b, sum);
      }
      if (args.bias != nullptr) sum += args.bias[j];
      if (args.addend != nullptr) sum = args.addend[i * args.addend_row + j] + sum;
      args.c[i * args.c_row + j] = sum;
    }
  }
}

void PackPanels(const float* b, int64_t b_k, int64_t b_column, int64_t k, int64_t n, float* panels, int64_t begin,
                int64_t end) {
  for (int64_t p = begin; p < end; ++p) {
    for (int64_t i = 0; i < k; ++i) {
      for (int64_t j = p * kPanel; j < (p + 1) * kPanel; ++j) {
        panels[InPanels(i, j, k)] = j < n ? b[i * b_k + j * b_column] : 0.0f;
      }
    }
  }
}

}  // namespace ref
}  // namespace quern
