#include "kernels/global_norm/global_norm.h"

#include <cmath>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/global_norm/global_norm_args.h"
#include "kernels/isa.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::SumSquaresChunks)> kChunks = {ref::SumSquaresChunks, avx2::SumSquaresChunks,
                                                             avx512::SumSquaresChunks};

// Chunks that are worth a thread of their own.
constexpr int64_t kGrain = 8;

}  // namespace

double GlobalNorm(const Tensor& x) {
  CHECK(x.defined() && x.dtype() == DType::kF32 && x.contiguous() && x.device().is_cpu())
      << "GlobalNorm: takes contiguous f32 on the CPU; got x=" << x;
  Tensor squares = Tensor::Empty({(x.elements() + kGlobalNormChunk - 1) / kGlobalNormChunk}, DType::kF32);
  GlobalNormArgs args{x.data<float>(), squares.mutable_data<float>(), x.elements()};
  auto* kernel = kChunks.Pick();
  ParallelFor(squares.elements(), kGrain, [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
  double sum = 0;
  for (int64_t i = 0; i < squares.elements(); ++i) sum += args.squares[i];
  return std::sqrt(sum);
}

}  // namespace quern
