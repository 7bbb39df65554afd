// Eigen as the opponent of the rooms that go over rows and elements: one row at a time, compiled for the instruction
// set that ours runs on, cut over the same threads.
#ifndef QUERN_KERNELS_BENCHMARK_EIGEN_H_
#define QUERN_KERNELS_BENCHMARK_EIGEN_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/benchmark_eigen_args.h"
#include "tensor/tensor.h"

namespace quern {

// For BenchmarkCase::opponents. `rows` rows of args.cols; `keep` holds the tensors that args points to. With `serial`,
// one thread alone: where Eigen's rows add into one result.
std::pair<std::string, std::function<void()>> EigenOpponent(EigenOp op, const EigenArgs& args, int64_t rows,
                                                            std::vector<Tensor> keep, bool serial = false);

}  // namespace quern

#endif  // QUERN_KERNELS_BENCHMARK_EIGEN_H_
