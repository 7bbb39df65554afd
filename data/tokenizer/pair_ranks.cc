#include "data/tokenizer/pair_ranks.h"

#include <algorithm>
#include <bit>

namespace quern {
namespace {

uint64_t Mix(uint64_t x) {  // the finaliser of SplitMix64
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
  x = (x ^ x >> 27) * 0x94D049BB133111EBu;
  return x ^ x >> 31;
}

constexpr size_t kLongestProbe = 96;
constexpr int kAttempts = 16;

}  // namespace

PairRanks::PairRanks(std::span<const BpeMerge> merges) {
  const size_t slots = std::bit_ceil(std::max<size_t>(2 * merges.size(), 16));
  mask_ = slots - 1;
  shift_ = 64 - std::countr_zero(slots);
  uint64_t digest = merges.size();
  for (const BpeMerge& merge : merges) digest = Mix(digest ^ Key(merge.left, merge.right));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (Fill(merges, kLongestProbe)) return;
    digest = Mix(digest + 0x9E3779B97F4A7C15u);
    seed_ = digest;
    multiplier_ = Mix(digest) | 1;
  }
  Fill(merges, SIZE_MAX);  // not reached by any file that could be made in practice: slow, but right
}

bool PairRanks::Fill(std::span<const BpeMerge> merges, size_t longest_probe) {
  entries_.assign(mask_ + 1, {});
  for (const BpeMerge& merge : merges) {
    const uint64_t key = Key(merge.left, merge.right);
    size_t at = Slot(key), probes = 0;
    while (entries_[at].key != kEmpty && entries_[at].key != key) {
      if (++probes > longest_probe) return false;
      at = (at + 1) & mask_;
    }
    entries_[at] = {key, {static_cast<uint32_t>(merge.rank), merge.merged}};
  }
  return true;
}

}  // namespace quern
