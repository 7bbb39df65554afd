#include "data/loader.h"

#include <bit>
#include <vector>

#include "base/log.h"
#include "base/rng.h"

namespace quern {
namespace {

constexpr uint32_t kRounds = 6;

uint64_t Feistel(uint64_t x, int half_bits, RngKey key, uint32_t epoch) {
  const uint64_t mask = (uint64_t{1} << half_bits) - 1;
  uint64_t left = x >> half_bits, right = x & mask;
  for (uint32_t round = 0; round < kRounds; ++round) {
    Philox4 words = RandomWords(key, epoch, round, right);
    uint64_t mixed = left ^ (((uint64_t{words[1]} << 32) | words[0]) & mask);
    left = right;
    right = mixed;
  }
  return (left << half_bits) | right;
}

}  // namespace

int64_t KeyedPermutation(int64_t n, uint64_t seed, uint32_t epoch, int64_t index) {
  CHECK(index >= 0 && index < n) << "KeyedPermutation: index " << index << " of " << n;
  const int bits = std::bit_width(static_cast<uint64_t>(n - 1)), half_bits = std::max((bits + 1) / 2, 1);
  uint64_t x = static_cast<uint64_t>(index);
  // On the cycle of a value below n the next such value comes after less than four steps on average.
  do {
    x = Feistel(x, half_bits, {seed, RngStream::kDataOrder}, epoch);
  } while (x >= static_cast<uint64_t>(n));
  return static_cast<int64_t>(x);
}

TokenBatch ReadWindows(const TokenShard& shard, int64_t block, std::span<const int64_t> windows) {
  const Shape shape = {static_cast<int64_t>(windows.size()) * block};
  TokenBatch batch = {Tensor::Empty(shape, DType::kI32), Tensor::Empty(shape, DType::kI32)};
  int32_t *inputs = batch.inputs.mutable_data<int32_t>(), *targets = batch.targets.mutable_data<int32_t>();
  for (int64_t window : windows) {
    shard.Read(window * block, {inputs, static_cast<size_t>(block)});
    shard.Read(window * block + 1, {targets, static_cast<size_t>(block)});
    inputs += block;
    targets += block;
  }
  return batch;
}

TokenLoader::TokenLoader(std::shared_ptr<const TokenShard> shard, int64_t block, const LoaderState& state)
    : shard_(std::move(shard)), block_(block), windows_(WindowCount(shard_->tokens(), block)), state_(state) {
  CHECK(windows_ > 0 && state_.next_sample >= 0)
      << "TokenLoader: " << shard_->tokens() << " ids, block " << block << ", next sample " << state_.next_sample;
}

TokenBatch TokenLoader::Next(int64_t count) {
  std::vector<int64_t> windows;
  for (int64_t i = 0; i < count; ++i, ++state_.next_sample) {
    const int64_t epoch = state_.next_sample / windows_, index = state_.next_sample % windows_;
    windows.push_back(KeyedPermutation(windows_, state_.seed, static_cast<uint32_t>(epoch), index));
  }
  return ReadWindows(*shard_, block_, windows);
}

}  // namespace quern
