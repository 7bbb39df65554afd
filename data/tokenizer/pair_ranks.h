// The merges of a BPE vocabulary by their pair of tokens: what the inner loop of encoding looks up.
#ifndef QUERN_DATA_TOKENIZER_PAIR_RANKS_H_
#define QUERN_DATA_TOKENIZER_PAIR_RANKS_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "data/tokenizer/tokenizer_parts.h"

namespace quern {

// Open addressing with linear probing, at most half full. Where a pair occurs twice the last one counts, as in the
// `tokenizers` library. The hash is keyed by the contents and rebuilt when it clusters: a file cannot make it slow.
class PairRanks {
 public:
  static constexpr uint32_t kNoRank = UINT32_MAX;

  struct Merge {
    uint32_t rank = kNoRank;
    int32_t merged = -1;
  };

  explicit PairRanks(std::span<const BpeMerge> merges);

  Merge Find(int32_t left, int32_t right) const {
    const uint64_t key = Key(left, right);
    for (size_t at = Slot(key);; at = (at + 1) & mask_) {
      if (entries_[at].key == key) return entries_[at].merge;
      if (entries_[at].key == kEmpty) return {};
    }
  }

 private:
  static constexpr uint64_t kEmpty = UINT64_MAX;
  struct Entry {
    uint64_t key = kEmpty;
    Merge merge;
  };

  static uint64_t Key(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
  }
  size_t Slot(uint64_t key) const { return ((key ^ key >> 29 ^ seed_) * multiplier_) >> shift_; }
  bool Fill(std::span<const BpeMerge> merges, size_t longest_probe);  // false: a probe was longer

  std::vector<Entry> entries_;
  uint64_t seed_ = 0, multiplier_ = 0x9E3779B97F4A7C15u;
  size_t mask_ = 0;
  int shift_ = 0;
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_PAIR_RANKS_H_
