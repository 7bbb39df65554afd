#include "kernels/ceilings.h"

#include <algorithm>
#include <cstddef>
#include <functional>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/ceilings_args.h"
#include "kernels/isa.h"
#include "tensor/tensor.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::F32Chains)> kF32Chains = {ref::F32Chains, avx2::F32Chains, avx512::F32Chains,
                                                         avx512_bf16::F32Chains};
constexpr PerIsa<decltype(ref::Bf16Chains)> kBf16Chains = {ref::Bf16Chains, avx2::Bf16Chains, avx512::Bf16Chains,
                                                           avx512_bf16::Bf16Chains};
constexpr PerIsa<decltype(ref::Int8Chains)> kInt8Chains = {ref::Int8Chains, avx2::Int8Chains, avx512::Int8Chains,
                                                           avx512_bf16::Int8Chains};
constexpr PerIsa<decltype(ref::ReadMemory)> kRead = {ref::ReadMemory, avx2::ReadMemory, avx512::ReadMemory};
constexpr PerIsa<decltype(ref::CopyMemory)> kCopy = {ref::CopyMemory, avx2::CopyMemory, avx512::CopyMemory};
constexpr PerIsa<decltype(ref::UpdateMemory)> kUpdate = {ref::UpdateMemory, avx2::UpdateMemory, avx512::UpdateMemory};

// Long enough that starting the threads does not show, short enough that a busy machine leaves some rounds alone.
constexpr double kRoundSeconds = 4e-3;
constexpr int kRounds = 8;

// Beyond every cache.
constexpr double kMostBytes = 256.0 * 1024 * 1024;

// The best of some rounds in which every thread of the pool runs body(thread, repeats), in units of a repeat per
// second.
double BestRate(const std::function<void(int64_t thread, int64_t repeats)>& body) {
  const int64_t threads = ThreadPool::Current().threads();
  auto seconds = [&](int64_t repeats) {
    double start = MonotonicSeconds();
    ParallelFor(threads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) body(t, repeats);
    });
    return MonotonicSeconds() - start;
  };
  int64_t repeats = 1;
  double once = seconds(1);
  while (once < kRoundSeconds / 4) once = seconds(repeats *= 2);
  repeats = std::max<int64_t>(1, static_cast<int64_t>(static_cast<double>(repeats) * kRoundSeconds / once));
  double best = once;
  for (int round = 0; round < kRounds; ++round) {
    double now = seconds(repeats);
    best = round == 0 ? now : std::min(best, now);
  }
  return static_cast<double>(repeats) / best;
}

}  // namespace

double MeasureFlopsCeiling(DType dtype) {
  CHECK(dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kI8)
      << "MeasureFlopsCeiling: measures f32, bf16 and i8; got " << Name(dtype);
  auto* chains = dtype == DType::kF32    ? kF32Chains.Pick()
                 : dtype == DType::kBF16 ? kBf16Chains.Pick()
                                         : kInt8Chains.Pick();
  double per_round = chains(1);
  double rate = BestRate([&](int64_t, int64_t repeats) { chains(repeats); });
  return rate * per_round * ThreadPool::Current().threads();
}

double MeasureBandwidthCeiling(double footprint) {
  const int64_t threads = ThreadPool::Current().threads();
  const double half = std::min(footprint, kMostBytes) / static_cast<double>(2 * threads);
  const int64_t size = std::max<int64_t>(1, static_cast<int64_t>(half) / kCeilingBlock) * kCeilingBlock;
  Tensor memory = Tensor::Zeros({threads, 2, size}, DType::kU8);
  std::byte* base = memory.mutable_raw();
  auto measure = [&](int64_t bytes, const std::function<void(std::byte*)>& pass) {
    double rate = BestRate([&](int64_t thread, int64_t repeats) {
      for (int64_t i = 0; i < repeats; ++i) pass(base + thread * 2 * size);
    });
    return rate * static_cast<double>(bytes * threads);
  };
  auto* read = kRead.Pick();
  auto* copy = kCopy.Pick();
  auto* update = kUpdate.Pick();
  return std::max({measure(2 * size, [&](std::byte* p) { read(p, 2 * size); }),
                   measure(2 * size, [&](std::byte* p) { copy(p + size, p, size); }),
                   measure(4 * size, [&](std::byte* p) { update(p, 2 * size); })});
}

}  // namespace quern
