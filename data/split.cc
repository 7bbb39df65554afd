#include "data/split.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"

namespace quern {

RecordHasher::RecordHasher(uint64_t seed) {
  for (size_t i = 0; i < seed_.size(); ++i) seed_[i] = static_cast<char>(seed >> (8 * i));
}

RecordDigest RecordHasher::Digest(std::string_view text) {
  hasher_.Update({seed_.data(), seed_.size()});
  hasher_.Update(text);
  const std::array<uint8_t, 32> bytes = hasher_.FinishBytes();
  RecordDigest digest;
  for (size_t i = 0; i < 8; ++i) {
    digest.high = digest.high << 8 | bytes[i];
    digest.low = digest.low << 8 | bytes[8 + i];
  }
  return digest;
}

namespace {

using Counts = std::array<int64_t, kSplits>;
using Ratios = std::array<double, kSplits>;

// A run of equal records in the sorted array.
struct Group {
  size_t begin = 0, end = 0;
  int64_t size() const { return static_cast<int64_t>(end - begin); }
};

Group GroupAt(const std::vector<IndexedRecord>& records, size_t begin) {
  size_t end = begin + 1;
  while (end < records.size() && records[end].digest == records[begin].digest) ++end;
  return {begin, end};
}

int Largest(const Counts& counts) {
  return static_cast<int>(std::max_element(counts.begin(), counts.end()) - counts.begin());
}

// The split in whose share of [0, 1) a digest falls.
int NaturalSplit(const Ratios& ratios, RecordDigest digest) {
  const double u = static_cast<double>(digest.low >> 11) * 0x1p-53;
  double below = 0;
  int last = 0;
  for (int k = 0; k < kSplits; ++k) {
    if (ratios[k] == 0) continue;
    below += ratios[k];
    if (u < below) return k;
    last = k;
  }
  return last;
}

class Assigner {
 public:
  Assigner(const Ratios& ratios, bool dedupe, const std::vector<IndexedRecord>& records, std::vector<RecordFate>* fates)
      : ratios_(ratios), dedupe_(dedupe), records_(records), fates_(*fates) {}

  absl::Status Assign() {
    int64_t distinct = 0, kept = 0;
    std::vector<Group> larger;
    ForEachGroup([&](const Group& group) {
      ++distinct;
      kept += Weight(group);
      if (Weight(group) > 1) larger.push_back(group);
    });
    const int64_t wanted = kSplits - std::count(ratios_.begin(), ratios_.end(), 0.0);
    if (distinct < wanted) {
      return absl::InvalidArgumentError(absl::StrCat("only ", distinct,
                                                     distinct == 1 ? " distinct record" : " distinct records", " for ",
                                                     wanted, " splits; give more text, or set a ratio to 0"));
    }
    room_ = SplitTargets(ratios_, kept);
    PlaceLarger(std::move(larger), distinct);
    int split = 0;
    ForEachGroup([&](const Group& group) {
      if (Weight(group) > 1) return;
      while (room_[split] == 0) ++split;
      --room_[split];
      Place(group, split);
    });
    for (int k = 0; k < kSplits; ++k) {
      if (ratios_[k] > 0 && groups_in_[k] == 0) MoveSmallestTo(k);
    }
    return absl::OkStatus();
  }

 private:
  template <typename Body>
  void ForEachGroup(const Body& body) const {
    for (size_t at = 0; at < records_.size();) {
      const Group group = GroupAt(records_, at);
      body(group);
      at = group.end;
    }
  }

  // Records that a group adds to its split.
  int64_t Weight(const Group& group) const { return dedupe_ ? 1 : group.size(); }

  void Place(const Group& group, int split) {
    ++groups_in_[split];
    for (size_t i = group.begin; i < group.end; ++i) {
      const bool drop = dedupe_ && i > group.begin;
      fates_[static_cast<size_t>(records_[i].index)] = drop ? RecordFate::kDuplicate : static_cast<RecordFate>(split);
    }
  }

  // Afterwards the room adds up to the number of single records.
  void PlaceLarger(std::vector<Group> groups, int64_t distinct) {
    std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.size() > b.size(); });
    for (const Group& group : groups) {
      int split = NaturalSplit(ratios_, records_[group.begin].digest);
      if (room_[split] < group.size()) split = Largest(room_);
      room_[split] -= group.size();
      Place(group, split);
    }
    int64_t singles = distinct - static_cast<int64_t>(groups.size());
    for (int64_t& room : room_) room = std::max<int64_t>(room, 0);
    for (int64_t room = std::accumulate(room_.begin(), room_.end(), int64_t{0}); room > singles; --room) {
      --room_[Largest(room_)];
    }
  }

  // There is one to move: there are as many distinct records as splits.
  void MoveSmallestTo(int split) {
    Group smallest;
    int from = 0;
    ForEachGroup([&](const Group& group) {
      const int at = static_cast<int>(fates_[static_cast<size_t>(records_[group.begin].index)]);
      if (groups_in_[at] < 2 || (smallest.size() > 0 && Weight(group) >= Weight(smallest))) return;
      smallest = group;
      from = at;
    });
    CHECK(smallest.size() > 0) << "AssignSplits: no record to move";
    --groups_in_[from];
    Place(smallest, split);
  }

  const Ratios& ratios_;
  const bool dedupe_;
  const std::vector<IndexedRecord>& records_;
  std::vector<RecordFate>& fates_;
  Counts room_{}, groups_in_{};
};

}  // namespace

std::array<int64_t, kSplits> SplitTargets(const Ratios& ratios, int64_t records) {
  Counts targets{};
  std::array<double, kSplits> remainder{};
  int64_t left = records;
  for (int k = 0; k < kSplits; ++k) {
    // The ratios are decimal fractions: 0.7 of 10 is 7, whatever binary makes of it.
    const double share = ratios[k] * static_cast<double>(records);
    targets[k] = std::min(left, static_cast<int64_t>(std::floor(share + 1e-9 * std::max(1.0, share))));
    remainder[k] = ratios[k] > 0 ? share - static_cast<double>(targets[k]) : -1;
    left -= targets[k];
  }
  for (; left > 0; --left) {
    const size_t k = static_cast<size_t>(std::max_element(remainder.begin(), remainder.end()) - remainder.begin());
    ++targets[k];
    remainder[k] -= 1;
  }
  for (int k = 0; k < kSplits; ++k) {
    const int donor = Largest(targets);
    if (ratios[k] > 0 && targets[k] == 0 && targets[donor] > 1) --targets[donor], ++targets[k];
  }
  return targets;
}

absl::Status AssignSplits(const Ratios& ratios, bool dedupe, std::vector<IndexedRecord>* records,
                          std::vector<RecordFate>* fates) {
  std::sort(records->begin(), records->end(), [](const IndexedRecord& a, const IndexedRecord& b) {
    return a.digest == b.digest ? a.index < b.index : a.digest < b.digest;
  });
  return Assigner(ratios, dedupe, *records, fates).Assign();
}

}  // namespace quern
