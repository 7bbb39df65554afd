#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "kernels/reduce/reduce_args.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::SumChunks)> kSumChunks = {ref::SumChunks, avx2::SumChunks, avx512::SumChunks};
constexpr PerIsa<decltype(ref::MaxChunks)> kMaxChunks = {ref::MaxChunks, avx2::MaxChunks, avx512::MaxChunks};
constexpr PerIsa<decltype(ref::SumRowsColumns)> kSumRowsColumns = {ref::SumRowsColumns, avx2::SumRowsColumns,
                                                                   avx512::SumRowsColumns};
constexpr PerIsa<decltype(ref::ArgMaxRows)> kArgMaxRows = {ref::ArgMaxRows, avx2::ArgMaxRows, avx512::ArgMaxRows};

// Elements that are worth a thread of their own.
constexpr int64_t kGrain = 32 * 1024;

void CheckInput(const char* op, const Tensor& x) {
  CHECK(x.defined() && x.dtype() == DType::kF32 && x.contiguous() && x.device().is_cpu())
      << op << ": takes contiguous f32 on the CPU; got x=" << x;
}

// One result per chunk of kReduceChunk elements.
Tensor ReduceChunks(void (*kernel)(const ReduceArgs&, int64_t, int64_t), const Tensor& x) {
  Tensor results = Tensor::Empty({(x.elements() + kReduceChunk - 1) / kReduceChunk}, DType::kF32);
  ReduceArgs args{x.data<float>(), results.mutable_data<float>(), x.elements()};
  ParallelFor(results.elements(), kGrain / kReduceChunk, [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
  return results;
}

}  // namespace

double Sum(const Tensor& x) {
  CheckInput("Sum", x);
  Tensor chunks = ReduceChunks(kSumChunks.Pick(), x);
  double sum = 0;
  for (int64_t i = 0; i < chunks.elements(); ++i) sum += chunks.data<float>()[i];
  return sum;
}

double Mean(const Tensor& x) { return Sum(x) / static_cast<double>(x.elements()); }

float Max(const Tensor& x) {
  CheckInput("Max", x);
  CHECK_GT(x.elements(), 0) << "Max: of no elements; got x=" << x;
  Tensor chunks = ReduceChunks(kMaxChunks.Pick(), x);
  float max = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < chunks.elements(); ++i) {
    float value = chunks.data<float>()[i];
    if (value > max || std::isnan(value)) max = value;
  }
  return max;
}

void SumRows(const Tensor& x, Slot& out) {
  CheckInput("SumRows", x);
  if (!out.wanted()) return;
  CHECK_GE(x.rank(), 1) << "SumRows: x is [..., C]; got x=" << x;
  SumRowsArgs args{};
  args.cols = x.dim(-1);
  args.rows = args.cols > 0 ? x.elements() / args.cols : 0;
  Tensor& destination = out.destination();
  CheckInput("SumRows", destination);
  CHECK_EQ(destination.elements(), args.cols)
      << "SumRows: the destination is [C]; got x=" << x << ", destination=" << destination;
  args.x = x.data<float>();
  args.out = destination.mutable_data<float>();
  args.add = out.accumulate();
  auto* kernel = kSumRowsColumns.Pick();
  // Whole vectors of columns, so that the cut falls where the kernel's tiles fall.
  int64_t tiles = (args.cols + 15) / 16;
  ParallelFor(tiles, kGrain / (16 * (args.rows + 1)) + 1,
              [&](int64_t begin, int64_t end) { kernel(args, begin * 16, std::min(end * 16, args.cols)); });
}

std::vector<int32_t> ArgMaxRows(const Tensor& x) {
  CheckInput("ArgMaxRows", x);
  CHECK(x.rank() == 2 && x.dim(1) > 0) << "ArgMaxRows: x is [N, C], C > 0; got x=" << x;
  std::vector<int32_t> index(static_cast<size_t>(x.dim(0)));
  ArgMaxArgs args{x.data<float>(), index.data(), x.dim(1)};
  auto* kernel = kArgMaxRows.Pick();
  ParallelFor(x.dim(0), kGrain / args.cols + 1, [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
  return index;
}

}  // namespace quern
