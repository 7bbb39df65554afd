#include "data/clean.h"

#include <sstream>

#include "base/file.h"
#include "base/testing.h"
#include "base/utf8.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Layout = CleanOptions::Layout;

std::string Clean(std::string_view text, Layout layout = Layout::kText, bool lower = false) {
  std::string out;
  CleanCounts counts;
  CleanText(text, {.lower = lower, .layout = layout}, &out, &counts);
  EXPECT_EQ(counts.changed, out != text) << text;
  return out;
}

TEST(Clean, WhatIsCleanStays) {
  for (const char* text : {"", "a", "Two words.", "First Citizen:\nBefore we proceed any further, hear me speak.",
                           "def f():\n    return 1", "caf\xC3\xA9", "\xE6\x97\xA5\xE6\x9C\xAC\xE8\xAA\x9E"}) {
    EXPECT_EQ(Clean(text), text);
  }
}

TEST(Clean, ControlCharacters) {
  EXPECT_EQ(Clean("a\x01\x02z\x7F!"), "az!");
  EXPECT_EQ(Clean("a\x0B"
                  "b\x0C"
                  "c\xC2\x85"
                  "d\xE2\x80\xA8"
                  "e\xE2\x80\xA9"
                  "f"),
            "a b c d e f");
  EXPECT_EQ(Clean("\xEF\xBB\xBFmark\xC2\x9F\xEF\xBB\xBF"), "mark");
  EXPECT_EQ(Clean("zero\xE2\x80\x8Dwidth\xE2\x80\x8Cjoiners stay"), "zero\xE2\x80\x8Dwidth\xE2\x80\x8Cjoiners stay");
}

TEST(Clean, Whitespace) {
  EXPECT_EQ(Clean("  a \t b  "), "a b");
  EXPECT_EQ(Clean("a\tb"), "a b");
  EXPECT_EQ(Clean("a\xC2\xA0\xE3\x80\x80\xE2\x80\x89z"), "a z");
  EXPECT_EQ(Clean("\n\n a \r\nb\rc \n\n\n\n d\n\n"), " a\nb\nc\n\n d");
  EXPECT_EQ(Clean("\ta:\n\t\tb  c"), "\ta:\n\t\tb c");
  EXPECT_EQ(Clean(" \t\n \xC2\xA0\n"), "");
  EXPECT_EQ(Clean("a\r\nb\n c", Layout::kLine), "a b c");
  EXPECT_EQ(Clean("a\n\x01\n\n  b", Layout::kParagraph), "a\n  b");
}

TEST(Clean, NormalForm) {
  EXPECT_EQ(Clean("cafe\xCC\x81"), "caf\xC3\xA9");
  // What a control character kept apart is composed once it is gone.
  EXPECT_EQ(Clean("cafe\x01\xCC\x81"), "caf\xC3\xA9");
}

TEST(Clean, LowerCase) {
  EXPECT_EQ(Clean("ABC xyz", Layout::kLine, true), "abc xyz");
  EXPECT_EQ(Clean("\xC3\x89T\xC3\x89", Layout::kLine, true), "\xC3\xA9t\xC3\xA9");
  // U+0130 becomes i and U+0307, which then stands on the wrong side of U+0323: lower case needs NFC again.
  EXPECT_EQ(Clean("\xC4\xB0\xCC\xA3", Layout::kLine, true), "\xE1\xBB\x8B\xCC\x87");
  EXPECT_EQ(Clean("\xCE\xA3\xCE\x91\xCE\xA3", Layout::kLine, true), "\xCF\x83\xCE\xB1\xCF\x82");  // final sigma
}

TEST(Clean, Off) {
  const std::string text = " a\x01\xFF  B\n";
  std::string out;
  CleanCounts counts;
  CleanText(text, {.clean = false}, &out, &counts);
  EXPECT_EQ(out, text);
  EXPECT_EQ(counts.changed, 0);
  out.clear();
  CleanText(text, {.clean = false, .lower = true}, &out, &counts);
  EXPECT_EQ(out, " a\x01\xFF  b\n");
}

TEST(Clean, Counts) {
  CleanCounts counts;
  std::string out;
  CleanText("a\xFF\xC2\x01 e\xCC\x81  Z", {.lower = true}, &out, &counts);
  EXPECT_EQ(counts.invalid_utf8, 2);
  EXPECT_EQ(counts.control_characters, 1);
  EXPECT_EQ(counts.normalized, 1);
  EXPECT_EQ(counts.whitespace, 1);
  EXPECT_EQ(counts.lowered, 1);
  EXPECT_EQ(counts.changed, 1);
}

// Random bytes and random code points: the result is well-formed, has none of what cleaning removes, and is a fixed
// point of cleaning, in every layout and case.
TEST(Clean, IdempotentOnAnything) {
  const char* const parts[] = {"a",
                               "B",
                               " ",
                               "  ",
                               "\t",
                               "\n",
                               "\r",
                               "\r\n",
                               "\x01",
                               "\xC2\xA0",
                               "\xCC\x81",
                               "\xCC\xA3",
                               "\xC4\xB0",
                               "\xFF",
                               "\xE2",
                               "\xE2\x80\xA8",
                               "\xC3\xA9",
                               "\xCE\xA3",
                               "\xEF\xBB\xBF",
                               "\xE1\x84\x80",
                               "\xE1\x85\xA1",
                               "\xF0\x9F\x98\x80"};
  uint64_t state = 11;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int i = 0; i < 1 + round % 12; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const uint64_t pick = state >> 33;
      if (pick % 8 == 0) {
        text += static_cast<char>(pick >> 8);
      } else {
        text += parts[(pick >> 4) % (sizeof(parts) / sizeof(*parts))];
      }
    }
    for (Layout layout : {Layout::kLine, Layout::kParagraph, Layout::kText}) {
      for (bool lower : {false, true}) {
        const std::string once = Clean(text, layout, lower);
        ASSERT_EQ(Clean(once, layout, lower), once);
        ASSERT_EQ(ValidUtf8Prefix(once), once.size());
        ASSERT_EQ(ToNfc(once), once);
        ASSERT_EQ(once.find_first_of("\r\x01\x7F"), std::string::npos);
        if (layout == Layout::kLine) {
          ASSERT_EQ(once.find('\n'), std::string::npos);
        } else if (layout == Layout::kParagraph) {
          ASSERT_EQ(once.find("\n\n"), std::string::npos);
        }
        ASSERT_EQ(once.find("\n\n\n"), std::string::npos);
      }
    }
  }
}

TEST(Clean, MarksWithoutEndTakeLinearTime) {
  std::string marks = "a";
  for (int i = 0; i < 500000; ++i) marks += i % 2 ? "\xCC\x96" : "\xCC\x81";
  const std::string once = ToNfc(marks);  // a minute and more with ICU alone
  EXPECT_EQ(ToNfc(once), once);
  std::string vowels;  // U+0F73, whose class is 0, becomes two marks
  for (int i = 0; i < 300000; ++i) vowels += "\u0F73";
  EXPECT_EQ(ToNfc(vowels).substr(0, 6), "\u0F71\u0F71");
  std::string few = "a";
  for (int i = 0; i < 900; ++i) few += "\xCC\x96";
  EXPECT_EQ(ToNfc(few), few);
}

// Unicode's own test: columns source; NFC; NFD; NFKC; NFKD, of code points in hexadecimal.
TEST(Clean, NormalizationTest) {
  if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
  auto file = ReadFile(JoinPath(FixturesFolder(), "text/NormalizationTest-14.txt"));
  ASSERT_TRUE(file.ok()) << file.status();
  std::istringstream lines(*file);
  int cases = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#' || line[0] == '@') continue;
    std::istringstream fields(line);
    std::string column[5];
    for (std::string& text : column) {
      std::string field;
      std::getline(fields, field, ';');
      std::istringstream points(field);
      for (uint32_t c; points >> std::hex >> c;) AppendUtf8(c, &text);
    }
    // NFC: c2 == toNFC(c1) == toNFC(c2) == toNFC(c3), c4 == toNFC(c4) == toNFC(c5).
    for (int i = 0; i < 3; ++i) ASSERT_EQ(ToNfc(column[i]), column[1]) << line;
    for (int i = 3; i < 5; ++i) ASSERT_EQ(ToNfc(column[i]), column[3]) << line;
    ++cases;
  }
  EXPECT_GT(cases, 18000);
}

}  // namespace
}  // namespace quern
