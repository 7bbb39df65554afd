#include "base/rng.h"

#include <set>

#include "gtest/gtest.h"

namespace quern {
namespace {

// The known-answer vectors that the paper's authors publish for philox4x32-10 (Random123, kat_vectors).
TEST(RngTest, PhiloxKnownAnswers) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}), (Philox4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  const uint32_t ones = 0xffffffff;
  EXPECT_EQ(Philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Philox4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Philox4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RngTest, EveryPartOfKeyAndCounterMatters) {
  std::set<Philox4> seen;
  const RngKey key{.seed = 1, .stream = RngStream::kInit};
  seen.insert(RandomWords(key, 0, 0, 0));
  seen.insert(RandomWords(key, 1, 0, 0));
  seen.insert(RandomWords(key, 0, 1, 0));
  seen.insert(RandomWords(key, 0, 0, 1));
  seen.insert(RandomWords(key, 0, 0, uint64_t{1} << 32));
  seen.insert(RandomWords({.seed = 2, .stream = RngStream::kInit}, 0, 0, 0));
  seen.insert(RandomWords({.seed = 1 + (uint64_t{1} << 32), .stream = RngStream::kInit}, 0, 0, 0));
  seen.insert(RandomWords({.seed = 1, .stream = RngStream::kDropout}, 0, 0, 0));
  EXPECT_EQ(seen.size(), 8u);
}

TEST(RngTest, UniformStaysBelowOne) {
  EXPECT_EQ(UniformFloat(0), 0.0f);
  EXPECT_EQ(UniformFloat(0xffffffff), 1.0f - 0x1p-24f);
  EXPECT_EQ(UniformDouble(0, 0), 0.0);
  EXPECT_EQ(UniformDouble(0xffffffff, 0xffffffff), 1.0 - 0x1p-53);
}

TEST(RngTest, UniformIsUniform) {
  constexpr int kGroups = 50'000, kBins = 16;
  int bins[kBins] = {};
  for (int i = 0; i < kGroups; ++i) {
    for (uint32_t word : RandomWords({.seed = 7}, 0, 0, static_cast<uint64_t>(i))) {
      ++bins[static_cast<int>(UniformFloat(word) * kBins)];
    }
  }
  // Chi-squared with 15 degrees of freedom: above 37.7 once in a thousand.
  const double expected = 4.0 * kGroups / kBins;
  double chi_squared = 0;
  for (int count : bins) chi_squared += (count - expected) * (count - expected) / expected;
  EXPECT_LT(chi_squared, 37.7);
}

}  // namespace
}  // namespace quern
