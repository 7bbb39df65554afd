// Which records are kept, and in which split.
//
// A record is known by 128 bits of SHA-256(seed, text). Equal records are together in one split, whatever their
// positions. Where every record is distinct, the split is a matter of rank: records in the order of their digests, the
// first train_ratio of them are for training and so on. So counts are exact, and adding records to a corpus moves few
// of the others.
//
// Groups of equal records come first, largest first: each goes to the split that its digest says, or, where that one is
// full, to the one with most room. Single records fill what is left. When a ratio above 0 would leave its split without
// records, the smallest group of another split moves.
#ifndef QUERN_DATA_SPLIT_H_
#define QUERN_DATA_SPLIT_H_

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "base/sha256.h"

namespace quern {

struct RecordDigest {
  uint64_t high = 0, low = 0;
  friend bool operator==(const RecordDigest& a, const RecordDigest& b) { return a.high == b.high && a.low == b.low; }
  friend bool operator<(const RecordDigest& a, const RecordDigest& b) {
    return a.high != b.high ? a.high < b.high : a.low < b.low;
  }
};

// Digests texts under one seed. Not for use from several threads at once; one is cheap to make.
class RecordHasher {
 public:
  explicit RecordHasher(uint64_t seed);
  RecordDigest Digest(std::string_view text);

 private:
  std::array<char, 8> seed_;  // little-endian
  Sha256Hasher hasher_;
};

enum class RecordFate : uint8_t { kTrain, kValidation, kTest, kDuplicate, kEmpty };
inline constexpr int kSplits = 3;
inline constexpr const char* kSplitNames[kSplits] = {"train", "validation", "test"};

struct IndexedRecord {
  RecordDigest digest;
  int64_t index = 0;  // in the input
};

// Sets (*fates)[r.index] for every record. Sorts `records` by digest, then index. With `dedupe` the first of equal
// records is kept and the others are kDuplicate. `ratios` of train, validation, test sum to 1. InvalidArgument when
// there are fewer distinct records than ratios above 0.
absl::Status AssignSplits(const std::array<double, kSplits>& ratios, bool dedupe, std::vector<IndexedRecord>* records,
                          std::vector<RecordFate>* fates);

// How many of `records` each split should have: the largest remainders are rounded up, and a ratio above 0 gets at
// least one where there are enough.
std::array<int64_t, kSplits> SplitTargets(const std::array<double, kSplits>& ratios, int64_t records);

}  // namespace quern

#endif  // QUERN_DATA_SPLIT_H_
