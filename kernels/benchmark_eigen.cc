#include "kernels/benchmark_eigen.h"

#include <algorithm>

#include "base/thread_pool.h"
#include "kernels/isa.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::EigenRows)> kRows = {ref::EigenRows, avx2::EigenRows, avx512::EigenRows};

constexpr int64_t kGrain = 8 * 1024;

}  // namespace

std::pair<std::string, std::function<void()>> EigenOpponent(EigenOp op, const EigenArgs& args, int64_t rows,
                                                            std::vector<Tensor> keep, bool serial) {
  const int64_t grain = serial ? rows : kGrain / std::max<int64_t>(1, args.cols) + 1;
  return {"eigen", [op, args, rows, grain, keep = std::move(keep)] {
            auto* kernel = kRows.Pick();
            ParallelFor(rows, grain, [&](int64_t begin, int64_t end) { kernel(op, args, begin, end); });
          }};
}

}  // namespace quern
