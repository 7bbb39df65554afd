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

// Memory that the threads share out evenly, each its part in two halves.
struct Arena {
  explicit Arena(double footprint)
      : threads(ThreadPool::Current().threads()),
        half(std::max<int64_t>(
                 1, static_cast<int64_t>(std::min(footprint, kMostBytes) / static_cast<double>(2 * threads)) /
                        kCeilingBlock) *
             kCeilingBlock),
        memory(Tensor::Zeros({threads, 2 * half}, DType::kU8)) {}

  // Bytes/s of a pass over a thread's part that counts for `bytes`.
  double Measure(int64_t bytes, const std::function<void(std::byte*)>& pass) {
    std::byte* base = memory.mutable_raw();
    double rate = BestRate([&](int64_t thread, int64_t repeats) {
      for (int64_t i = 0; i < repeats; ++i) pass(base + thread * 2 * half);
    });
    return rate * static_cast<double>(bytes * threads);
  }

  const int64_t threads, half;
  Tensor memory;
};

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

double MeasureReadCeiling(double footprint) {
  Arena arena(footprint);
  auto* read = kRead.Pick();
  return arena.Measure(2 * arena.half, [&](std::byte* p) { read(p, 2 * arena.half); });
}

double MeasureBandwidthCeiling(double footprint) {
  Arena arena(footprint);
  const int64_t half = arena.half;
  auto* read = kRead.Pick();
  auto* copy = kCopy.Pick();
  auto* update = kUpdate.Pick();
  return std::max({arena.Measure(2 * half, [&](std::byte* p) { read(p, 2 * half); }),
                   arena.Measure(2 * half, [&](std::byte* p) { copy(p + half, p, half); }),
                   arena.Measure(4 * half, [&](std::byte* p) { update(p, 2 * half); })});
}

}  // namespace quern
