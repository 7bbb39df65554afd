// The scanners against a regex engine (ICU's), on text made of the characters that the patterns tell apart.
#include "data/tokenizer/split_pattern.h"

#include <map>
#include <memory>
#include <random>

#include "data/tokenizer/byte_alphabet.h"
#include "gtest/gtest.h"
#include "unicode/regex.h"

namespace quern {
namespace {

using Pieces = std::vector<std::string>;

// As their users publish them: tiktoken's and Hugging Face's files.
const std::multimap<SplitPattern, std::string>& PublishedRegexes() {
  static const auto* regexes = new std::multimap<SplitPattern, std::string>{
      {SplitPattern::kGpt2, R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)"},
      {SplitPattern::kGpt2, R"('(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s)"},
      {SplitPattern::kLlama3,
       R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
      {SplitPattern::kQwen2,
       R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
      {SplitPattern::kO200k,
       R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"},
  };
  return *regexes;
}

// tiktoken's own; its possessive interval means another thing to the engine that reads tokenizer.json.
constexpr char kTiktokenCl100k[] =
    R"('(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s)";

class RegexEngine {
 public:
  explicit RegexEngine(std::string regex) {
    // ICU's \s leaves out U+000B and U+0085, which are White_Space.
    for (const auto& [from, to] : {std::pair{R"(\s)", R"(\p{White_Space})"}, {R"(\S)", R"(\P{White_Space})"}}) {
      for (size_t at = 0; (at = regex.find(from, at)) != std::string::npos; at += 4) regex.replace(at, 2, to);
    }
    UErrorCode error = U_ZERO_ERROR;
    pattern_.reset(icu::RegexPattern::compile(icu::UnicodeString::fromUTF8(regex), 0, error));
    EXPECT_TRUE(U_SUCCESS(error)) << u_errorName(error) << " " << regex;
  }
  Pieces Split(const std::string& utf8) const {
    UErrorCode error = U_ZERO_ERROR;
    const icu::UnicodeString text = icu::UnicodeString::fromUTF8(utf8);
    const std::unique_ptr<icu::RegexMatcher> matcher(pattern_->matcher(text, error));
    Pieces pieces;
    while (matcher->find(error)) matcher->group(error).toUTF8String(pieces.emplace_back());
    EXPECT_TRUE(U_SUCCESS(error)) << u_errorName(error);
    return pieces;
  }

 private:
  std::unique_ptr<icu::RegexPattern> pattern_;
};

Pieces Ours(std::string_view text, SplitPattern pattern) {
  Pieces pieces;
  for (std::string_view piece : SplitPieces(text, pattern)) pieces.emplace_back(piece);
  return pieces;
}

std::string RandomText(std::mt19937_64& random) {
  static const std::vector<std::string> parts = {
      "a",      "b",      "Z",      "s",   "T",       "re",     "LL",   "ve",     "\u017F", "\u00E9", "e\u0301",
      "\u01C5", "\u02B0", "中",     "한",  "\u05D0",  "\u0416", "1",    "22",     "\u0663", "\u2167", "\u00BD",
      " ",      " ",      "  ",     "\t",  "\n",      "\r",     "\r\n", "\u00A0", "\u3000", "\u0085", "\v",
      "\u2028", "'",      "'s",     "'LL", "'\u017F", "/",      ".",    "!",      "_",      "😀",      "\u200D",
      "\u2019", "\u0301", "\u20DD", "-",   "$",       "\x01",   " '",   "\u1F88", "\u3007"};
  std::string text;
  for (size_t n = 1 + random() % 24; n > 0; --n) text += parts[random() % parts.size()];
  return text;
}

TEST(SplitPattern, IsWhatTheRegexEngineSays) {
  std::vector<std::pair<SplitPattern, RegexEngine>> engines;
  for (const auto& [pattern, regex] : PublishedRegexes()) engines.emplace_back(pattern, RegexEngine(regex));
  engines.emplace_back(SplitPattern::kCl100k, RegexEngine(kTiktokenCl100k));
  engines.emplace_back(SplitPattern::kCl100k, RegexEngine(std::string(SplitRegex(SplitPattern::kCl100k))));
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 6000; ++trial) {
    const std::string text = RandomText(random);
    for (const auto& [pattern, engine] : engines) {
      ASSERT_EQ(Ours(text, pattern), engine.Split(text)) << Name(pattern) << ": " << testing::PrintToString(text);
    }
  }
}

TEST(SplitPattern, EveryCharacterIsInTheClassesThatTheRegexEngineSays) {
  // Between letters, digits and a space each class shows in another way.
  const RegexEngine gpt2(std::string(SplitRegex(SplitPattern::kGpt2))),
      o200k(std::string(SplitRegex(SplitPattern::kO200k)));
  std::string text;
  for (UChar32 c = 1; c < 0x20000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    icu::UnicodeString("aB1 ").append(c).append("b2").append(c).append(c).toUTF8String(text);
    if (c % 64 != 63) continue;
    ASSERT_EQ(Ours(text, SplitPattern::kGpt2), gpt2.Split(text)) << "near U+" << std::hex << c;
    ASSERT_EQ(Ours(text, SplitPattern::kO200k), o200k.Split(text)) << "near U+" << std::hex << c;
    text.clear();
  }
}

TEST(SplitPattern, ByNameAndByRegex) {
  for (const std::string& name : SplitPatternNames()) {
    const SplitPattern pattern = *SplitPatternByName(name);
    EXPECT_EQ(Name(pattern), name);
    EXPECT_EQ(SplitPatternByRegex(SplitRegex(pattern)), pattern);
  }
  for (const auto& [pattern, regex] : PublishedRegexes()) EXPECT_EQ(SplitPatternByRegex(regex), pattern) << regex;
  EXPECT_EQ(SplitPatternByRegex(kTiktokenCl100k), std::nullopt);
  EXPECT_EQ(SplitPatternByRegex(R"(\p{L}+)"), std::nullopt);
  EXPECT_EQ(SplitPatternByName("gpt5"), std::nullopt);
}

TEST(SplitPattern, PiecesCoverAnyBytes) {
  std::mt19937_64 random(2);
  for (int trial = 0; trial < 2000; ++trial) {
    std::string text;
    for (size_t n = random() % 60; n > 0; --n) {
      text += random() % 3 == 0 ? static_cast<char>(random()) : "aB1 \n'\xE4\xB8\xAD\0"[random() % 11];
    }
    for (const std::string& name : SplitPatternNames()) {
      std::string together;
      for (const std::string& piece : Ours(text, *SplitPatternByName(name))) {
        ASSERT_FALSE(piece.empty());
        together += piece;
      }
      ASSERT_EQ(together, text) << name;
    }
  }
}

TEST(SplitPattern, SafePartsHaveThePiecesOfTheWhole) {
  std::mt19937_64 random(3);
  for (int trial = 0; trial < 300; ++trial) {
    std::string text;
    for (int i = 0; i < 30; ++i) text += RandomText(random);
    for (const std::string& name : SplitPatternNames()) {
      const SplitPattern pattern = *SplitPatternByName(name);
      Pieces pieces;
      size_t longest = 0;
      for (std::string_view part : SafeParts(text, pattern, 1 + random() % 200)) {
        longest = std::max(longest, part.size());
        for (const std::string& piece : Ours(part, pattern)) pieces.push_back(piece);
      }
      ASSERT_EQ(pieces, Ours(text, pattern)) << name;
      EXPECT_LE(longest, text.size());
    }
  }
  EXPECT_EQ(SafeParts("one two three", SplitPattern::kGpt2, 2).size(), 3u);
  EXPECT_EQ(SafeParts("one two three", SplitPattern::kNone, 2).size(), 1u);
  EXPECT_TRUE(SafeParts("", SplitPattern::kGpt2, 2).empty());
}

TEST(ByteAlphabet, IsGpt2s) {
  EXPECT_EQ(BytesToAlphabet(" a\n"), "\u0120a\u010A");
  EXPECT_EQ(BytesToAlphabet(std::string_view("\0", 1)), "\u0100");
  EXPECT_EQ(BytesToAlphabet("\x7F\x80\xA0\xAD"), "\u0121\u0122\u0142\u0143");
  EXPECT_EQ(BytesToAlphabet("\xC3\xA9"), "\u00C3\u00A9");
  std::string every;
  for (int b = 0; b < 256; ++b) every += static_cast<char>(b);
  EXPECT_EQ(AlphabetToBytes(BytesToAlphabet(every)), every);
  for (const char* outside : {" ", "\n", "\u00A0", "\u00AD", "\u0144", "中", "\xFF"}) {
    EXPECT_EQ(AlphabetToBytes(outside), std::nullopt) << outside;
  }
}

}  // namespace
}  // namespace quern
