// The order in which training reads a text.
//
// The text's ids are cut into windows of `block` inputs and their targets, one id later: window w is inputs [w block,
// (w + 1) block), targets one to the right; there are floor((N - 1) / block) of them. Sample i of a run is a window of
// epoch i / windows: the keyed bijection of (seed, epoch) at i % windows. So each epoch reads every window once, in an
// order of its own, and which window sample i is depends on seed, i and the number of windows alone: not on batch
// sizes, ranks or where a run was resumed. All there is to save is a LoaderState.
#ifndef QUERN_DATA_LOADER_H_
#define QUERN_DATA_LOADER_H_

#include <cstdint>
#include <memory>
#include <span>

#include "data/token_shard.h"
#include "tensor/tensor.h"

namespace quern {

struct LoaderState {
  uint64_t seed = 0;
  int64_t next_sample = 0;
};

// A bijection of [0, n) chosen by (seed, epoch), at `index`: a balanced Feistel network over the least even number of
// bits that holds n (Luby and Rackoff, 1988; six rounds of Philox, stream kDataOrder), walked until it is below n
// (Black and Rogaway, "Ciphers with arbitrary finite domains", 2002). n in [1, 2^62].
int64_t KeyedPermutation(int64_t n, uint64_t seed, uint32_t epoch, int64_t index);

// Windows of a text of `tokens` ids.
inline int64_t WindowCount(int64_t tokens, int64_t block) { return tokens > 0 ? (tokens - 1) / block : 0; }

// A batch: i32 [windows * block] each, ready for Sequences::Equal(windows, block).
struct TokenBatch {
  Tensor inputs, targets;
};

// The windows with these indexes, in this order.
TokenBatch ReadWindows(const TokenShard& shard, int64_t block, std::span<const int64_t> windows);

class TokenLoader {
 public:
  // The shard holds at least one window (CHECKed).
  TokenLoader(std::shared_ptr<const TokenShard> shard, int64_t block, const LoaderState& state);

  int64_t windows() const { return windows_; }
  const LoaderState& state() const { return state_; }
  // The next `count` samples.
  TokenBatch Next(int64_t count);

 private:
  std::shared_ptr<const TokenShard> shard_;
  int64_t block_, windows_;
  LoaderState state_;
};

}  // namespace quern

#endif  // QUERN_DATA_LOADER_H_
