#include "eval/windows.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {

void PrintTo(const Window& w, std::ostream* os) { *os << "{" << w.begin << ", " << w.end << ", " << w.first << "}"; }

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr PerplexityMode kModes[] = {PerplexityMode::kToken, PerplexityMode::kRolling, PerplexityMode::kStrided};

TEST(WindowsTest, Token) {
  EXPECT_THAT(CutWindows(10, PerplexityMode::kToken, 4, 0),
              ElementsAre(Window{0, 5, 1}, Window{4, 9, 5}, Window{8, 10, 9}));
  EXPECT_THAT(CutWindows(9, PerplexityMode::kToken, 4, 0), ElementsAre(Window{0, 5, 1}, Window{4, 9, 5}));
  EXPECT_THAT(CutWindows(3, PerplexityMode::kToken, 4, 0), ElementsAre(Window{0, 3, 1}));
}

// lm-evaluation-harness, 34 tokens after a prefix, windows of 10: 0-9, 10-19, 20-29 are predicted, then 30-33 with
// 23 ... 32 as input. Token t is number t + 1 here.
TEST(WindowsTest, Rolling) {
  EXPECT_THAT(CutWindows(35, PerplexityMode::kRolling, 10, 0),
              ElementsAre(Window{0, 11, 1}, Window{10, 21, 11}, Window{20, 31, 21}, Window{24, 35, 31}));
  EXPECT_THAT(CutWindows(5, PerplexityMode::kRolling, 10, 0), ElementsAre(Window{0, 5, 1}));
  EXPECT_THAT(CutWindows(10, PerplexityMode::kRolling, 1, 0).back(), (Window{8, 10, 9}));
}

// transformers' "Perplexity of fixed-length models": 10 tokens, windows of 4, stride 2.
TEST(WindowsTest, Strided) {
  EXPECT_THAT(CutWindows(10, PerplexityMode::kStrided, 4, 2),
              ElementsAre(Window{0, 4, 1}, Window{2, 6, 4}, Window{4, 8, 6}, Window{6, 10, 8}));
  EXPECT_THAT(CutWindows(9, PerplexityMode::kStrided, 4, 2).back(), (Window{6, 9, 8}));
  // Without overlap the first token of a window is asked for by beginning one earlier.
  EXPECT_THAT(CutWindows(10, PerplexityMode::kStrided, 4, 4),
              ElementsAre(Window{0, 4, 1}, Window{3, 8, 4}, Window{7, 10, 8}));
}

TEST(WindowsTest, EveryTokenIsAskedForOnceWithinTheContext) {
  for (PerplexityMode mode : kModes) {
    for (int64_t context : {1, 2, 3, 7, 16}) {
      for (int64_t stride = 1; stride <= context; ++stride) {
        for (int64_t length = 0; length < 40; ++length) {
          int64_t next = 1;
          for (const Window& w : CutWindows(length, mode, context, stride)) {
            ASSERT_EQ(w.first, next) << Name(mode) << " " << context << " " << stride << " " << length;
            ASSERT_GT(w.end, w.first);
            ASSERT_LT(w.begin, w.first);
            ASSERT_LE(w.inputs(), context);
            next = w.end;
          }
          ASSERT_EQ(next, std::max<int64_t>(length, 1));
        }
      }
    }
  }
  EXPECT_THAT(CutWindows(1, PerplexityMode::kToken, 4, 0), IsEmpty());
}

TEST(WindowsTest, ModesAreParsed) {
  for (PerplexityMode mode : kModes) EXPECT_EQ(ParsePerplexityMode(Name(mode)).value(), mode);
  EXPECT_THAT(ParsePerplexityMode("roling").status().message(), HasSubstr("Did you mean \"rolling\"?"));
}

}  // namespace
}  // namespace quern
