#include "base/clock.h"

#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

TEST(ClockTest, NeverGoesBack) {
  double before = MonotonicSeconds();
  for (int i = 0; i < 1000; ++i) {
    double now = MonotonicSeconds();
    ASSERT_GE(now, before);
    before = now;
  }
}

TEST(ClockTest, SourceDateEpochReplacesTheClock) {
  setenv("SOURCE_DATE_EPOCH", "951782400", 1);
  EXPECT_EQ(UtcTimestamp(), "2000-02-29T00:00:00Z");
  setenv("SOURCE_DATE_EPOCH", "0", 1);
  EXPECT_EQ(UtcTimestamp(), "1970-01-01T00:00:00Z");
  unsetenv("SOURCE_DATE_EPOCH");
}

TEST(ClockTest, OtherwiseItIsNow) {
  for (const char* ignored : {"", "yesterday", "-5", "12x", "99999999999999999999"}) {
    setenv("SOURCE_DATE_EPOCH", ignored, 1);
    EXPECT_THAT(UtcTimestamp(), ::testing::MatchesRegex("20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T..:..:..Z")) << ignored;
    EXPECT_GT(UtcTimestamp(), "2024") << ignored;
  }
  unsetenv("SOURCE_DATE_EPOCH");
}

}  // namespace
}  // namespace quern
