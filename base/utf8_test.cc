#include "base/utf8.h"

#include <string>

#include "gtest/gtest.h"

namespace quern {
namespace {

std::string Repaired(std::string_view text) {
  std::string out;
  RepairUtf8(text, &out);
  return out;
}

std::string Encode(char32_t point) {
  std::string out;
  AppendUtf8(point, &out);
  return out;
}

TEST(Utf8, EveryCodePointIsWellFormedButSurrogates) {
  for (char32_t point = 0; point < 0x110000; ++point) {
    const std::string text = Encode(point);
    const bool surrogate = point >= 0xD800 && point < 0xE000;
    ASSERT_EQ(ValidUtf8Prefix(text), surrogate ? 0 : text.size()) << static_cast<uint32_t>(point);
    if (surrogate) continue;
    size_t at = 0;
    ASSERT_EQ(NextCodePoint(text, &at), point);
    ASSERT_EQ(at, text.size());
    ASSERT_EQ(CountCodePoints(text), 1);
  }
  EXPECT_EQ(ValidUtf8Prefix(Encode(0x110000)), 0u);
}

TEST(Utf8, KnownEncodings) {
  EXPECT_EQ(Encode('A'), "A");
  EXPECT_EQ(Encode(0x7FF), "\xDF\xBF");
  EXPECT_EQ(Encode(0x20AC), "\xE2\x82\xAC");
  EXPECT_EQ(Encode(0x10FFFF), "\xF4\x8F\xBF\xBF");
}

TEST(Utf8, IncompleteSuffixes) {
  const std::pair<const char*, size_t> kCases[] = {{"", 0},          {"a", 0},
                                                   {"a\xC3", 1},     {"\xC3\xA9", 0},
                                                   {"a\xE2", 1},     {"a\xE2\x82", 2},
                                                   {"a\xE0\x80", 0}, {"\xF0\x9F\x98", 3},
                                                   {"\xF0\x9F", 2},  {"\xF0\x9F\x98\x80", 0},
                                                   {"\xF0\x80", 0},  {"\xED\xA0", 0},
                                                   {"\xC1", 0},      {"\xF5", 0},
                                                   {"\x80\x80", 0},  {"\xE2\x82\x41", 0},
                                                   {"\xC3\xC3", 1}};
  for (const auto& [text, size] : kCases) EXPECT_EQ(IncompleteUtf8Suffix(text), size) << testing::PrintToString(text);
}

// The examples of the Unicode standard, section 3.9, tables 3-8 to 3-11.
TEST(Utf8, MaximalSubpartsOfTheStandard) {
  const std::string r = "\xEF\xBF\xBD";
  EXPECT_EQ(Repaired("a\xF1\x80\x80\xE1\x80\xC2"
                     "b\x80"
                     "c\x80\xBF"
                     "d"),
            "a" + r + r + r + "b" + r + "c" + r + r + "d");
  EXPECT_EQ(Repaired("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(Repaired("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(Repaired("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(Repaired("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
}

TEST(Utf8, RepairIsWellFormedIdempotentAndCounts) {
  uint64_t state = 7;
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const unsigned pick = static_cast<unsigned>(state >> 33);
      text += static_cast<char>(pick % 3 == 0 ? 'a' : 0x80 + (pick >> 4) % 128);
    }
    std::string once;
    const Utf8Repair repair = RepairUtf8(text, &once);
    EXPECT_EQ(ValidUtf8Prefix(once), once.size());
    EXPECT_EQ(Repaired(once), once);
    EXPECT_EQ(once.size(), text.size() - repair.invalid_bytes + 3 * repair.replacements);
    EXPECT_LE(repair.replacements, repair.invalid_bytes);
  }
}

// The kinds of Markus Kuhn's stress test, sections 3 and 4. (The fixture of that name has been through a decoder: it
// holds U+FFFD in place of what it is about.)
TEST(Utf8, KindsOfMalformedSequences) {
  auto marks = [](int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += "\xEF\xBF\xBD";
    return out;
  };
  std::string continuations, impossible = "\xFE\xFF";
  for (int c = 0x80; c < 0xC0; ++c) continuations += static_cast<char>(c);
  EXPECT_EQ(Repaired(continuations), marks(64));
  EXPECT_EQ(Repaired(impossible), marks(2));
  for (int lead = 0xC0; lead < 0x100; ++lead) {
    EXPECT_EQ(Repaired(std::string(1, static_cast<char>(lead)) + " "), marks(1) + " ");  // lonely start bytes
  }
  // Sequences whose last byte is missing, one after another: one mark each where what is there can start a character.
  EXPECT_EQ(Repaired("\xE0\xA0\xEF\xBF\xF0\x90\x80\xDF"), marks(4));
  // Overlong forms of '/' and of U+0000, and the longest overlong forms: one mark a byte.
  EXPECT_EQ(Repaired("\xC0\xAF"), marks(2));
  EXPECT_EQ(Repaired("\xE0\x80\xAF"), marks(3));
  EXPECT_EQ(Repaired("\xF8\x80\x80\x80\xAF"), marks(5));
  EXPECT_EQ(Repaired("\xC1\xBF\xE0\x9F\xBF\xF0\x8F\xBF\xBF"), marks(9));
  EXPECT_EQ(Repaired("\xED\xA0\x80\xED\xB0\x80"), marks(6));                    // a pair of surrogates
  EXPECT_EQ(Repaired("\xEF\xBF\xBE\xEF\xBF\xBF"), "\xEF\xBF\xBE\xEF\xBF\xBF");  // noncharacters are characters
}

}  // namespace
}  // namespace quern
