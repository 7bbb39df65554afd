// Sequences: which rows of a token batch belong together, where each token stands, and where earlier keys and values
// are.
//
// One forward serves training (equal sequences, no cache), packed documents (more starts), scoring, and the serving
// engine (prefill chunks and decode rows in one call, with a cache).
#ifndef QUERN_NN_SEQUENCES_H_
#define QUERN_NN_SEQUENCES_H_

#include <cstdint>
#include <vector>

#include "kernels/attention/attention.h"

namespace quern {

// What one forward call sees of the KV cache (nn/decode/kv_cache.h owns the blocks).
struct KvView {
  std::vector<KvBlocks>* layers = nullptr;  // one per layer of the model
  std::vector<int32_t> past;                // [S] keys already cached before the call
  std::vector<int32_t> block_starts;        // [S+1] into block_ids
  std::vector<int32_t> block_ids;
};

struct Sequences {
  std::vector<int32_t> starts;     // [S+1]: sequence s owns rows [starts[s], starts[s+1]) of N
  std::vector<int32_t> positions;  // [N]: position of each token in its sequence, from 0
  const KvView* cache = nullptr;   // null: no cache, every sequence starts at position 0

  int64_t count() const { return static_cast<int64_t>(starts.size()) - 1; }
  int64_t tokens() const { return starts.back(); }
  AttentionLayout layout() const {
    if (cache == nullptr) return {starts, {}, {}, {}};
    return {starts, cache->past, cache->block_starts, cache->block_ids};
  }

  // `count` sequences of `length` tokens, no cache.
  static Sequences Equal(int64_t count, int64_t length) {
    std::vector<int32_t> lengths(static_cast<size_t>(count), static_cast<int32_t>(length));
    return Of(lengths);
  }
  // One sequence per length, no cache.
  static Sequences Of(const std::vector<int32_t>& lengths) {
    Sequences s;
    s.starts.push_back(0);
    for (int32_t length : lengths) {
      for (int32_t i = 0; i < length; ++i) s.positions.push_back(i);
      s.starts.push_back(s.starts.back() + length);
    }
    return s;
  }
};

}  // namespace quern

#endif  // QUERN_NN_SEQUENCES_H_
