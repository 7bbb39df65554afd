#include "base/json.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/file.h"
#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string Why(std::string_view text) { return std::string(ParseJson(text, "x.json").status().message()); }

TEST(JsonTest, ParsesNestedValues) {
  Json value = ParseJson(R"({"a": [1, -2, 2.5, true, null, "é\n"], "b": {"c": {}}})", "x").value();
  EXPECT_EQ(value["a"][0], 1);
  EXPECT_EQ(value["a"][1], -2);
  EXPECT_EQ(value["a"][2], 2.5);
  EXPECT_EQ(value["a"][3], true);
  EXPECT_TRUE(value["a"][4].is_null());
  EXPECT_EQ(value["a"][5], "\u00e9\n");
  EXPECT_TRUE(value["b"]["c"].is_object());
  EXPECT_EQ(ParseJson("[[1],[2,[3]],{\"k\":[4]}]", "x").value().dump(), "[[1],[2,[3]],{\"k\":[4]}]");
}

TEST(JsonTest, RefusesWhatNlohmannLetsPass) {
  EXPECT_THAT(Why(R"({"a": 1, "a": 2})"), HasSubstr("x.json is refused: duplicate key \"a\""));
  EXPECT_THAT(Why(R"([{"k": {"a": 1, "a": 2}}])"), HasSubstr("duplicate key"));
  EXPECT_TRUE(ParseJson(R"([{"a": 1}, {"a": 2}])", "x").ok()) << "the same key in two objects";
  EXPECT_EQ(ParseJson(R"({"a": [1], "a": {"b": 2}})", "x", 100, DuplicateKeys::kKeepLast).value().dump(),
            R"({"a":{"b":2}})");
  EXPECT_THAT(Why(std::string_view("1\0", 2)), HasSubstr("at byte 2: NUL byte"));
}

TEST(JsonTest, BoundsDepth) {
  auto nested = [](int depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  EXPECT_TRUE(ParseJson(nested(100), "x").ok());
  EXPECT_THAT(Why(nested(101)), HasSubstr("nested deeper than 100"));
  EXPECT_FALSE(ParseJson(nested(4), "x", 3).ok());
  EXPECT_THAT(Why(std::string(100000, '[')), HasSubstr("nested deeper"));
  std::string objects;
  for (int i = 0; i < 100000; ++i) objects += "{\"a\":";
  EXPECT_THAT(Why(objects), HasSubstr("nested deeper"));
}

TEST(JsonTest, ErrorsNameTheSourceAndTheByte) {
  EXPECT_THAT(Why("[1, 2,, 3]"), StartsWith("x.json is not valid JSON at byte 7: syntax error"));
  EXPECT_THAT(Why("{} x"), HasSubstr("not valid JSON at byte 4"));
  EXPECT_THAT(Why(""), HasSubstr("not valid JSON"));
  EXPECT_THAT(Why("[1e400]"), HasSubstr("1e400"));
  for (char c : Why("[\"\xff\xfe\x01\"]")) EXPECT_TRUE(c >= 0x20 && c < 0x7f);
  EXPECT_EQ(ParseJson("[", "x").status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(JsonTest, RefusesBadUtf8) {
  for (const char* text : {"\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xe2\x82\"",
                           R"("\ud800")", R"("\udc00\ud800")", R"("\ud800x")"}) {
    EXPECT_FALSE(ParseJson(text, "x").ok()) << text;
  }
  EXPECT_EQ(ParseJson(R"("\ud83d\ude00")", "x").value(), "\U0001F600");
  EXPECT_EQ(ParseJson(std::string_view("\"\\u0000\"", 8), "x").value().get<std::string>(), std::string(1, '\0'));
}

TEST(JsonTest, EveryTruncationOfADocumentIsRefused) {
  const std::string text = R"({"a":[1,2.5e3,true,null,"xé\u00e9"],"b":{"c":"d"}})";
  ASSERT_TRUE(ParseJson(text, "x").ok());
  for (size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(ParseJson(text.substr(0, size), "x").ok()) << size;
}

// https://github.com/nst/JSONTestSuite: y_* must be accepted, n_* refused, i_* may be either. Of these we take integers
// beyond 64 bits (as f64), numbers that round to zero, and a byte order mark; numbers beyond f64, what is not UTF-8,
// lone surrogates and nesting of 500 levels are refused.
TEST(JsonTest, JsonTestSuite) {
  if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
  const std::string folder = JoinPath(FixturesFolder(), "negative/json");
  const std::vector<std::string> names = ListFolder(folder).value();
  std::vector<std::string> either, duplicates;
  for (const std::string& name : names) {
    const std::string text = ReadFile(JoinPath(folder, name)).value();
    const absl::Status last = ParseJson(text, name, 100, DuplicateKeys::kKeepLast).status();
    EXPECT_TRUE(last.ok() || name[0] != 'y') << last;
    EXPECT_TRUE(!last.ok() || name[0] != 'n') << name;
    if (last.ok() && name[0] == 'i') either.push_back(name);
    // By default only duplicate keys are refused as well.
    const absl::Status strict = ParseJson(text, name).status();
    if (last.ok() && !strict.ok()) duplicates.push_back(name);
    if (strict.ok()) continue;
    EXPECT_EQ(strict.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_THAT(std::string(strict.message()),
                AnyOf(StartsWith(name + " is not valid JSON at byte "), StartsWith(name + " is refused: ")));
  }
  EXPECT_EQ(names.size(), 318u);
  EXPECT_THAT(either, ElementsAre("i_number_double_huge_neg_exp.json", "i_number_real_underflow.json",
                                  "i_number_too_big_neg_int.json", "i_number_too_big_pos_int.json",
                                  "i_number_very_big_negative_int.json", "i_structure_UTF-8_BOM_empty_object.json"));
  EXPECT_THAT(duplicates, ElementsAre("y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"));
}

TEST(JsonTest, WritesSortedAndStable) {
  Json value = {{"b", 1}, {"a", {1.0, 0.1, 1e22, -0.0, 5e-324}}, {"A", nullptr}};
  const std::string text = WriteJson(value);
  EXPECT_EQ(
      text,
      "{\n  \"A\": null,\n  \"a\": [\n    1.0,\n    0.1,\n    1e+22,\n    -0.0,\n    5e-324\n  ],\n  \"b\": 1\n}\n");
  EXPECT_EQ(WriteJson(ParseJson(text, "x").value()), text);
  EXPECT_EQ(WriteJsonLine({{"a", {1, "\n"}}}), R"({"a":[1,"\n"]})");
}

TEST(JsonTest, NumbersReadBackAsTheSameBits) {
  uint64_t state = 1;
  for (int i = 0; i < 20000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    double value;
    static_assert(sizeof(value) == sizeof(state));
    std::memcpy(&value, &state, sizeof(value));
    if (!std::isfinite(value)) continue;
    const std::string text = WriteJsonLine(value);
    ASSERT_EQ(ParseJson(text, "x").value().get<double>(), value) << text;
    ASSERT_EQ(WriteJsonLine(ParseJson(text, "x").value()), text);
  }
}

TEST(JsonTest, WhatJsonCannotSay) {
  EXPECT_EQ(WriteJsonLine(std::nan("")), "null");
  EXPECT_EQ(WriteJsonLine(-std::numeric_limits<double>::infinity()), "null");
  EXPECT_EQ(WriteJsonLine("a\xff z"), "\"a\uFFFD z\"");
}

TEST(JsonTest, TypedInts) {
  Json object = ParseJson(R"({"n": 12, "neg": -3, "f": 2.5, "e": 1e3, "s": "12", "big": 18446744073709551615,
                              "huge": 1e300, "null": null})",
                          "x")
                    .value();
  EXPECT_EQ(JsonInt(object, "n", "c", 0, 100).value(), 12);
  EXPECT_EQ(JsonInt(object, "neg", "c", -5, 5).value(), -3);
  EXPECT_EQ(JsonInt(object, "e", "c", 0, 1000).value(), 1000);
  auto why = [&](const char* field, int64_t max) {
    return std::string(JsonInt(object, field, "config.json", 0, max).status().message());
  };
  EXPECT_EQ(why("n", 11), "config.json: field \"n\": 12 is out of range [0, 11]");
  EXPECT_THAT(why("neg", 11), HasSubstr("-3 is out of range"));
  EXPECT_THAT(why("f", 11), HasSubstr("expected an integer, found number"));
  EXPECT_THAT(why("s", 11), HasSubstr("expected an integer, found string"));
  EXPECT_THAT(why("big", INT64_MAX), HasSubstr("18446744073709551615 is out of range"));
  EXPECT_THAT(why("huge", INT64_MAX), HasSubstr("1e+300 is out of range"));
  EXPECT_THAT(why("nul", 11), HasSubstr("is missing. Did you mean \"null\"?"));
  EXPECT_THAT(why("null", 11), HasSubstr("is missing"));
  EXPECT_EQ(JsonIntOr(object, "null", "c", 0, 1, 42).value(), 42);
  EXPECT_EQ(JsonIntOr(object, "none", "c", 0, 1, 42).value(), 42);
  EXPECT_FALSE(JsonIntOr(object, "n", "c", 0, 1, 42).ok());
  EXPECT_THAT(std::string(JsonInt(Json::array(), "n", "c", 0, 1).status().message()), HasSubstr("expected an object"));
}

TEST(JsonTest, OtherTypes) {
  Json object = {{"x", 1.5}, {"i", 2}, {"s", "text"}, {"b", true}};
  EXPECT_EQ(JsonNumber(object, "x", "c").value(), 1.5);
  EXPECT_EQ(JsonNumber(object, "i", "c").value(), 2.0);
  EXPECT_FALSE(JsonNumber(object, "s", "c").ok());
  EXPECT_EQ(JsonNumberOr(object, "y", "c", 7).value(), 7.0);
  EXPECT_EQ(JsonString(object, "s", "c").value(), "text");
  EXPECT_FALSE(JsonString(object, "x", "c").ok());
  EXPECT_FALSE(JsonString(object, "none", "c").ok());
  EXPECT_EQ(JsonStringOr(object, "none", "c", "else").value(), "else");
  EXPECT_FALSE(JsonStringOr(object, "b", "c", "else").ok());
  EXPECT_TRUE(JsonBoolOr(object, "b", "c", false).value());
  EXPECT_TRUE(JsonBoolOr(object, "none", "c", true).value());
  EXPECT_FALSE(JsonBoolOr(object, "i", "c", true).ok());
}

TEST(JsonTest, FilesAreNamedInErrors) {
  const std::string path = ::testing::TempDir() + "/json_test.json";
  ASSERT_TRUE(WriteFileAtomic(path, "{").ok());
  EXPECT_THAT(std::string(ReadJsonFile(path).status().message()), HasSubstr(path));
  ASSERT_TRUE(WriteFileAtomic(path, "{\"a\": 1}").ok());
  EXPECT_EQ(ReadJsonFile(path).value()["a"], 1);
  EXPECT_FALSE(ReadJsonFile(path, 3).ok());
}

}  // namespace
}  // namespace quern
