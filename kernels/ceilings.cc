#include "kernels/ceilings.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <vector>

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
constexpr double kRoundSeconds = 1.5e-3;
constexpr int kRounds = 24;

// Beyond every cache.
constexpr double kMostBytes = 256.0 * 1024 * 1024;
// A thread's share of a round, at most; rounds walk through the whole.
constexpr int64_t kChunk = 32 * 1024 * 1024;

// The best of some rounds in which every thread of the pool runs body(thread, repeats), in repeats per second. Whether
// a round is long enough is judged by its best too: on a busy machine a single one may take a hundred times longer.
double BestRate(const std::function<void(int64_t thread, int64_t repeats)>& body) {
  const int64_t threads = ThreadPool::Current().threads();
  auto best_of_rounds = [&](int64_t repeats) {
    double best = std::numeric_limits<double>::infinity();
    for (int round = 0; round < kRounds; ++round) {
      double start = MonotonicSeconds();
      ParallelFor(threads, 1, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) body(t, repeats);
      });
      best = std::min(best, MonotonicSeconds() - start);
    }
    return best;
  };
  int64_t repeats = 1;
  double best = best_of_rounds(repeats);
  while (best < kRoundSeconds / 2) {
    repeats *= std::clamp<int64_t>(static_cast<int64_t>(kRoundSeconds / std::max(best, 1e-6)), 2, 1000);
    best = best_of_rounds(repeats);
  }
  return static_cast<double>(repeats) / best;
}

// Memory that the threads share out evenly.
class Arena {
 public:
  explicit Arena(double footprint)
      : threads_(ThreadPool::Current().threads()),
        chunk_(Blocks(std::min(std::min(footprint, kMostBytes) / static_cast<double>(threads_), double{kChunk}))),
        chunks_(std::max<int64_t>(1, static_cast<int64_t>(std::min(footprint, kMostBytes)) / (chunk_ * threads_))),
        memory_(Tensor::Zeros({threads_, chunks_ * chunk_}, DType::kU8)) {}

  // Bytes/s of pass(chunk, its size), where each byte of a chunk counts for `count` bytes.
  double Measure(double count, const std::function<void(std::byte*, int64_t)>& pass) {
    std::byte* base = memory_.mutable_raw();
    std::vector<int64_t> next(threads_, 0);
    double rate = BestRate([&](int64_t thread, int64_t repeats) {
      int64_t at = next[thread];
      for (int64_t i = 0; i < repeats; ++i) {
        pass(base + (thread * chunks_ + at) * chunk_, chunk_);
        at = at + 1 < chunks_ ? at + 1 : 0;
      }
      next[thread] = at;
    });
    return rate * count * static_cast<double>(chunk_ * threads_);
  }

 private:
  // Whole pairs of blocks: a chunk has two halves.
  static int64_t Blocks(double bytes) {
    return std::max<int64_t>(1, static_cast<int64_t>(bytes) / (2 * kCeilingBlock)) * 2 * kCeilingBlock;
  }

  const int64_t threads_, chunk_, chunks_;
  Tensor memory_;
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

double MeasureReadCeiling(double footprint) { return Arena(footprint).Measure(1, kRead.Pick()); }

double MeasureBandwidthCeiling(double footprint) {
  Arena arena(footprint);
  auto* copy = kCopy.Pick();
  return std::max({arena.Measure(1, kRead.Pick()),
                   arena.Measure(1, [&](std::byte* p, int64_t bytes) { copy(p + bytes / 2, p, bytes / 2); }),
                   arena.Measure(2, kUpdate.Pick())});
}

}  // namespace quern
