#include "data/tokenizer/stream_decoder.h"

#include <random>

#include "data/tokenizer/bpe_train.h"
#include "data/tokenizer/stop_matcher.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

constexpr char kReplacement[] = "\xEF\xBF\xBD";

std::string Stream(const std::string& bytes, std::vector<std::string>* pushes = nullptr) {
  StreamDecoder decoder(Tokenizer::Bytes());
  std::string text;
  for (char c : bytes) {
    const std::string some = decoder.Push(static_cast<uint8_t>(c));
    if (pushes != nullptr) pushes->push_back(some);
    text += some;
  }
  return text + decoder.Finish();
}

TEST(StreamDecoder, HoldsBackHalfCharacters) {
  std::vector<std::string> pushes;
  EXPECT_EQ(Stream("a\xC3\xA9\xF0\x9F\x98\x80!", &pushes), "a\xC3\xA9\xF0\x9F\x98\x80!");
  EXPECT_EQ(pushes, (std::vector<std::string>{"a", "", "\xC3\xA9", "", "", "", "\xF0\x9F\x98\x80", "!"}));
}

TEST(StreamDecoder, ReplacesMaximalSubparts) {
  const std::string r = kReplacement;
  // Unicode 15.0, table 3-8 to 3-11.
  EXPECT_EQ(Stream("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(Stream("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41"), r + r + r + r + r + r + r + r + "A");
  EXPECT_EQ(Stream("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42"), r + r + r + r + r + "A" + r + r + "B");
  EXPECT_EQ(Stream("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41"), r + r + r + r + "A");
  EXPECT_EQ(Stream("\xE0\x80\x41\xF0\x8F\x41\xED\xA0\x41\xF4\x90\x41"),
            r + r + "A" + r + r + "A" + r + r + "A" + r + r + "A");
  EXPECT_EQ(Stream("a\xF0\x9F\x98"), "a" + r);
  EXPECT_EQ(Stream("\xC3"), r);
}

TEST(StreamDecoder, TextIsTheSameHoweverTokensCutIt) {
  std::mt19937_64 random(1);
  std::string sample;
  for (int i = 0; i < 3000; ++i)
    sample += std::string_view("\xE4\xB8\xAD\xC3\xA9 a\xF0\x9F\x98\x80").substr(random() % 7, 4);
  const Tokenizer tokenizer = *TrainBpe(sample, {.vocab_size = 600});
  for (int trial = 0; trial < 300; ++trial) {
    std::string bytes;
    for (size_t n = random() % 40; n > 0; --n) {
      bytes += random() % 4 == 0 ? static_cast<char>(random()) : sample[random() % sample.size()];
    }
    StreamDecoder decoder(tokenizer);
    std::string text;
    const std::vector<int32_t> ids = *tokenizer.Encode(bytes);
    for (int32_t id : ids) text += decoder.Push(id);
    text += decoder.Finish();
    ASSERT_EQ(text, Stream(bytes)) << testing::PrintToString(bytes);
    ASSERT_EQ(decoder.Finish(), "");
  }
}

TEST(StreamDecoder, SpecialTokensAndUnknownIds) {
  const Tokenizer tokenizer = *TrainBpe("text", {.vocab_size = 300});
  const int32_t end = *tokenizer.eos_id();
  StreamDecoder skips(tokenizer), shows(tokenizer, {.skip_special = false});
  EXPECT_EQ(skips.Push(end), "");
  EXPECT_EQ(shows.Push(end), "<|endoftext|>");
  EXPECT_EQ(skips.Push(1'000'000), "");
  EXPECT_EQ(skips.Push(-1), "");
  EXPECT_EQ(skips.Push('a'), "a");
}

// ---- Stop strings.

struct Stopped {
  std::string text, matched;
  friend bool operator==(const Stopped& a, const Stopped& b) { return a.text == b.text && a.matched == b.matched; }
};

std::ostream& operator<<(std::ostream& out, const Stopped& s) { return out << s.text << " | " << s.matched; }

Stopped Feed(const std::vector<std::string>& stops, const std::vector<std::string>& pieces) {
  StopMatcher matcher(stops);
  Stopped out;
  for (const std::string& piece : pieces) out.text += matcher.Push(piece);
  out.text += matcher.Finish();
  out.matched = matcher.matched();
  return out;
}

// What the header says, on the whole text at once.
Stopped Plain(const std::vector<std::string>& stops, const std::string& text) {
  for (size_t end = 1; end <= text.size(); ++end) {
    std::string longest;
    for (const std::string& stop : stops) {
      const bool ends = stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0;
      if (ends && stop.size() > longest.size()) longest = stop;
    }
    if (!longest.empty()) return {text.substr(0, end - longest.size()), longest};
  }
  return {text, ""};
}

TEST(StopMatcher, StopsAtTheFirstAndLeavesItOut) {
  EXPECT_EQ(Feed({"\n\n", "User:"}, {"Hello\n", "\nmore"}), (Stopped{"Hello", "\n\n"}));
  EXPECT_EQ(Feed({"User:"}, {"a Us", "er", ": b"}), (Stopped{"a ", "User:"}));
  EXPECT_EQ(Feed({"User:"}, {"a User", "s"}), (Stopped{"a Users", ""}));
  EXPECT_EQ(Feed({"abc", "b"}, {"abc"}), (Stopped{"a", "b"}));
  EXPECT_EQ(Feed({"c", "abc"}, {"xabc"}), (Stopped{"x", "abc"}));
  EXPECT_EQ(Feed({}, {"any", "thing"}), (Stopped{"anything", ""}));
  EXPECT_EQ(Feed({"", ""}, {"any"}), (Stopped{"any", ""}));
  EXPECT_EQ(Feed({"stop"}, {"a sto"}), (Stopped{"a sto", ""}));
}

TEST(StopMatcher, PassesOnWhatIsCertain) {
  StopMatcher matcher({"aab"});
  EXPECT_EQ(matcher.Push("xa"), "x");
  EXPECT_EQ(matcher.Push("a"), "");
  EXPECT_EQ(matcher.Push("a"), "a");
  EXPECT_EQ(matcher.Push("c"), "aac");
  EXPECT_FALSE(matcher.stopped());
  EXPECT_EQ(matcher.Push("aab tail"), "");
  EXPECT_TRUE(matcher.stopped());
  EXPECT_EQ(matcher.Push("more"), "");
  EXPECT_EQ(matcher.Finish(), "");
}

TEST(StopMatcher, IsThePlainDefinitionHoweverTextIsCut) {
  std::mt19937_64 random(4);
  for (int trial = 0; trial < 4000; ++trial) {
    const auto word = [&](size_t longest) {
      std::string text;
      for (size_t n = 1 + random() % longest; n > 0; --n) text += "ab"[random() % 2];
      return text;
    };
    std::vector<std::string> stops;
    for (size_t n = random() % 4; n > 0; --n) stops.push_back(word(6) + (random() % 2 == 0 ? "c" : ""));
    std::vector<std::string> pieces;
    std::string whole;
    for (size_t n = random() % 8; n > 0; --n) whole += pieces.emplace_back(word(4) + (random() % 3 == 0 ? "c" : ""));
    ASSERT_EQ(Feed(stops, pieces), Plain(stops, whole)) << whole << " " << testing::PrintToString(stops);
  }
}

}  // namespace
}  // namespace quern
