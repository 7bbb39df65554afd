// Eigen's product of one part, compiled for the same instruction sets as ours.
#ifndef QUERN_KERNELS_MATMUL_MATMUL_BENCHMARK_EIGEN_H_
#define QUERN_KERNELS_MATMUL_MATMUL_BENCHMARK_EIGEN_H_

#include "kernels/for_each_isa.h"
#include "kernels/matmul/matmul_args.h"

namespace quern {

// args.b is read, never args.panels.
QUERN_FOR_EACH_ISA(void EigenTile(const MatmulArgs& args, const MatmulPart& part);)

}  // namespace quern

#endif  // QUERN_KERNELS_MATMUL_MATMUL_BENCHMARK_EIGEN_H_
