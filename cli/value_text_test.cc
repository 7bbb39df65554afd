#include "cli/value_text.h"

#include <cstdint>

#include "gtest/gtest.h"

namespace quern::cli {
namespace {

TEST(ValueText, WholeNumbersAsPeopleWriteThem) {
  EXPECT_EQ(ParseWhole<int32_t>("12"), 12);
  EXPECT_EQ(ParseWhole<int32_t>("1e6"), 1000000);
  EXPECT_EQ(ParseWhole<int64_t>("-2.0"), -2);
  EXPECT_EQ(ParseWhole<int64_t>("1e12"), 1000000000000);
  EXPECT_EQ(ParseWhole<uint64_t>("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(ParseWhole<int32_t>("2147483647"), INT32_MAX);
  EXPECT_EQ(ParseWhole<int32_t>("-2147483648.0"), INT32_MIN);
}

// A cast of what the type does not hold would be undefined.
TEST(ValueText, WhatDoesNotFitIsRefused) {
  for (const char* text : {"2147483648", "2147483648.0", "-2147483649", "1e10", "1.5", "1e400", "nan", "", "1x"}) {
    EXPECT_FALSE(ParseWhole<int32_t>(text).has_value()) << text;
  }
  for (const char* text : {"9223372036854775808", "1e19", "9.3e18"}) {
    EXPECT_FALSE(ParseWhole<int64_t>(text).has_value()) << text;
  }
  for (const char* text : {"-1", "-1.0", "18446744073709551616"}) {
    EXPECT_FALSE(ParseWhole<uint64_t>(text).has_value()) << text;
  }
}

TEST(ValueText, RealsAreFinite) {
  EXPECT_EQ(ParseReal("2.5e-1"), 0.25);
  for (const char* text : {"inf", "nan", "1e400", "", "x"}) EXPECT_FALSE(ParseReal(text).has_value()) << text;
}

TEST(ValueText, Switches) {
  for (const char* yes : {"true", "yes", "on", "1"}) EXPECT_EQ(ParseSwitch(yes), true) << yes;
  for (const char* no : {"false", "no", "off", "0"}) EXPECT_EQ(ParseSwitch(no), false) << no;
  for (const char* neither : {"", "2", "maybe"}) EXPECT_FALSE(ParseSwitch(neither).has_value()) << neither;
}

}  // namespace
}  // namespace quern::cli
