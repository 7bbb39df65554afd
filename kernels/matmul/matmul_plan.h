// How a product is cut: into one part per thread, and each part into blocks that stay in the caches. No bit depends on
// it.
#ifndef QUERN_KERNELS_MATMUL_MATMUL_PLAN_H_
#define QUERN_KERNELS_MATMUL_MATMUL_PLAN_H_

#include <cstdint>

#include "kernels/matmul/matmul_args.h"

namespace quern {

struct MatmulPlan {
  int64_t row_parts = 1, column_parts = 1;
  MatmulBlocks blocks{};
  // Floats of scratch that each part needs, in multiples of a cache line.
  int64_t packed_b = 0, packed_a = 0, chains = 0;

  int64_t parts() const { return row_parts * column_parts; }
  int64_t scratch() const { return packed_b + packed_a + chains; }
};

// At most `threads` parts. m and n are not 0.
MatmulPlan PlanMatmul(const MatmulArgs& args, int threads);

// Part `index` of parts(); it may be empty. `scratch` is that of all parts: parts() * scratch() floats, aligned to 64
// bytes; null where only the cut is asked for.
MatmulPart PartOf(const MatmulArgs& args, const MatmulPlan& plan, int64_t index, float* scratch);

}  // namespace quern

#endif  // QUERN_KERNELS_MATMUL_MATMUL_PLAN_H_
