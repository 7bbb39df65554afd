#include "data/split.h"

#include <algorithm>
#include <map>
#include <string>

#include "gtest/gtest.h"

namespace quern {
namespace {

using Ratios = std::array<double, kSplits>;
using Counts = std::array<int64_t, kSplits>;

struct Assigned {
  absl::Status status;
  std::vector<RecordFate> fates;
  Counts counts{};
  int64_t duplicates = 0;
};

Assigned Assign(const std::vector<std::string>& texts, const Ratios& ratios, bool dedupe, uint64_t seed = 0) {
  RecordHasher hasher(seed);
  std::vector<IndexedRecord> records;
  for (const std::string& text : texts) records.push_back({hasher.Digest(text), static_cast<int64_t>(records.size())});
  Assigned out;
  out.fates.assign(texts.size(), RecordFate::kEmpty);
  out.status = AssignSplits(ratios, dedupe, &records, &out.fates);
  if (!out.status.ok()) return out;
  for (RecordFate fate : out.fates) {
    EXPECT_NE(fate, RecordFate::kEmpty);
    if (fate == RecordFate::kDuplicate) {
      ++out.duplicates;
    } else {
      ++out.counts[static_cast<int>(fate)];
    }
  }
  // The promise: no text in two splits; the first of equal records is the one kept.
  std::map<std::string, RecordFate> first;
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto [it, is_new] = first.emplace(texts[i], out.fates[i]);
    if (is_new) {
      EXPECT_NE(out.fates[i], RecordFate::kDuplicate) << texts[i];
    } else {
      EXPECT_EQ(out.fates[i], dedupe ? RecordFate::kDuplicate : it->second) << texts[i];
    }
  }
  return out;
}

std::vector<std::string> Numbers(int n, int modulo) {
  std::vector<std::string> texts;
  for (int i = 0; i < n; ++i) texts.push_back(std::to_string(i % modulo));
  return texts;
}

// `head -c 8 /dev/zero | sha256sum`.
TEST(RecordHasher, IsSha256OfSeedAndText) {
  EXPECT_EQ(RecordHasher(0).Digest("").high, 0xaf5570f5a1810b7aULL);
  EXPECT_EQ(RecordHasher(0).Digest("").low, 0xf78caf4bc70a660fULL);
  RecordHasher hasher(1);
  const RecordDigest once = hasher.Digest("abc");
  EXPECT_EQ(hasher.Digest("abc"), once);
  EXPECT_FALSE(RecordHasher(2).Digest("abc") == once);
}

TEST(Split, TargetsAddUpAndRoundFairly) {
  EXPECT_EQ(SplitTargets({.8, .1, .1}, 31102), (Counts{24882, 3110, 3110}));
  EXPECT_EQ(SplitTargets({.8, .1, .1}, 10), (Counts{8, 1, 1}));
  EXPECT_EQ(SplitTargets({.8, .1, .1}, 3), (Counts{1, 1, 1}));
  EXPECT_EQ(SplitTargets({.7, .2, .1}, 10), (Counts{7, 2, 1}));
  EXPECT_EQ(SplitTargets({1, 0, 0}, 5), (Counts{5, 0, 0}));
  EXPECT_EQ(SplitTargets({0, .5, .5}, 5), (Counts{0, 3, 2}));
  for (int64_t n = 0; n < 300; ++n) {
    const Counts t = SplitTargets({.8, .1, .1}, n);
    EXPECT_EQ(t[0] + t[1] + t[2], n);
  }
}

TEST(Split, DistinctRecordsMeetTheRatiosExactly) {
  for (int n : {3, 10, 101, 1000, 5000}) {
    for (const Ratios& ratios : {Ratios{.8, .1, .1}, Ratios{.5, .5, 0}, Ratios{.34, .33, .33}, Ratios{0, 0, 1}}) {
      const Assigned out = Assign(Numbers(n, n), ratios, false);
      ASSERT_TRUE(out.status.ok()) << out.status;
      EXPECT_EQ(out.counts, SplitTargets(ratios, n));
    }
  }
}

TEST(Split, GroupsOfEqualRecordsStayTogetherAndCountsAreMet) {
  std::vector<std::string> texts = Numbers(4000, 1000);
  for (int i = 0; i < 1000; ++i) texts.push_back("single " + std::to_string(i));
  for (int i = 0; i < 300; ++i) texts.push_back("often");
  Assigned out = Assign(texts, {.8, .1, .1}, false);
  ASSERT_TRUE(out.status.ok());
  EXPECT_EQ(out.counts, SplitTargets({.8, .1, .1}, 5300));
  out = Assign(texts, {.8, .1, .1}, true);
  EXPECT_EQ(out.counts, SplitTargets({.8, .1, .1}, 2001));
  EXPECT_EQ(out.duplicates, 5300 - 2001);
}

TEST(Split, OneTextThatFillsTheCorpusLeavesNoSplitEmpty) {
  for (int rest : {2, 3, 10}) {
    for (uint64_t seed = 0; seed < 50; ++seed) {
      std::vector<std::string> texts(500, "the same");
      for (int i = 0; i < rest; ++i) texts.push_back(std::to_string(i));
      const Assigned out = Assign(texts, {.8, .1, .1}, false, seed);
      ASSERT_TRUE(out.status.ok());
      EXPECT_GE(out.counts[0], 500);
      EXPECT_GE(out.counts[1], 1);
      EXPECT_GE(out.counts[2], 1);
    }
  }
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Assigned out = Assign(Numbers(30, 3), {.8, .1, .1}, false, seed);
    EXPECT_EQ(out.counts, (Counts{10, 10, 10}));
  }
}

TEST(Split, TooFewDistinctRecords) {
  const Assigned out = Assign(Numbers(30, 2), {.8, .1, .1}, false);
  EXPECT_EQ(out.status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(out.status.message().find("2 distinct records for 3 splits"), absl::string_view::npos) << out.status;
  EXPECT_TRUE(Assign(Numbers(30, 2), {.9, .1, 0}, false).status.ok());
  EXPECT_FALSE(Assign({}, {1, 0, 0}, false).status.ok());
}

TEST(Split, DependsOnTextAndSeedNotOnPosition) {
  std::vector<std::string> texts = Numbers(1000, 700);
  const Assigned forward = Assign(texts, {.8, .1, .1}, false);
  std::reverse(texts.begin(), texts.end());
  Assigned backward = Assign(texts, {.8, .1, .1}, false);
  std::reverse(backward.fates.begin(), backward.fates.end());
  EXPECT_EQ(forward.fates, backward.fates);
  EXPECT_NE(forward.fates, Assign(Numbers(1000, 700), {.8, .1, .1}, false, 1).fates);
}

TEST(Split, GrowingTheCorpusMovesFewRecords) {
  const Assigned small = Assign(Numbers(10000, 10000), {.8, .1, .1}, false);
  const Assigned large = Assign(Numbers(10100, 10100), {.8, .1, .1}, false);
  int moved = 0;
  for (size_t i = 0; i < small.fates.size(); ++i) moved += small.fates[i] != large.fates[i];
  EXPECT_LT(moved, 50);
}

}  // namespace
}  // namespace quern
