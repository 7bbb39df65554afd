#include "base/suggest.h"

#include "gtest/gtest.h"

namespace quern {
namespace {

const std::vector<std::string> kFlags = {"learning_rate", "batch_size", "block_size", "seed", "json"};

TEST(SuggestTest, FindsTheNearest) {
  EXPECT_EQ(Nearest("learnig_rate", kFlags), "learning_rate");
  EXPECT_EQ(Nearest("batchsize", kFlags), "batch_size");
  EXPECT_EQ(Nearest("blokc_size", kFlags), "block_size");
  EXPECT_EQ(Nearest("sede", kFlags), "seed");
  EXPECT_EQ(Nearest("jsn", kFlags), "json");
}

TEST(SuggestTest, ASwapCountsOnce) {
  // Both are two edits away by Levenshtein; the swap makes "ab__" nearer.
  EXPECT_EQ(Nearest("ba__", {"bxy_", "ab__"}), "ab__");
}

TEST(SuggestTest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(Nearest("weight_decay", kFlags), "");
  EXPECT_EQ(Nearest("xy", {"ab"}), "");
  EXPECT_EQ(Nearest("", kFlags), "");
  EXPECT_EQ(Nearest("seed", {}), "");
  EXPECT_EQ(Nearest(std::string(100000, 'a'), {std::string(100000, 'b')}), "");
}

TEST(SuggestTest, TiesGoToTheFirst) { EXPECT_EQ(Nearest("cat", {"bat", "car"}), "bat"); }

TEST(SuggestTest, Sentence) {
  EXPECT_EQ(DidYouMean("blocksize", kFlags), " Did you mean \"block_size\"?");
  EXPECT_EQ(DidYouMean("weight_decay", kFlags), "");
  EXPECT_EQ(DidYouMean("seed", kFlags), "");
}

}  // namespace
}  // namespace quern
