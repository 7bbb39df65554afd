// Encoding against a plain reading of the tokenizer.json: the lowest rank is merged first, over and over.
#include "data/tokenizer/bpe.h"

#include <chrono>
#include <map>
#include <random>

#include "base/json.h"
#include "base/thread_pool.h"
#include "data/tokenizer/bpe_train.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/split_pattern.h"
#include "data/tokenizer/tokenizer.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

// Quadratic, by strings.
class PlainBpe {
 public:
  explicit PlainBpe(const Tokenizer& tokenizer) : pattern_(*SplitPatternByName(tokenizer.pattern())) {
    const Json model = (*ParseJson(tokenizer.json(), "tokenizer.json"))["model"];
    for (const auto& [token, id] : model["vocab"].items()) vocab_[token] = id;
    for (const Json& merge : model["merges"]) {
      ranks_.emplace(std::pair(merge[0].get<std::string>(), merge[1].get<std::string>()), ranks_.size());
    }
  }
  Ids Encode(std::string_view text) const {
    Ids ids;
    for (std::string_view piece : SplitPieces(text, pattern_)) {
      std::vector<std::string> symbols;
      for (char c : piece) symbols.push_back(BytesToAlphabet({&c, 1}));
      while (true) {
        size_t best = symbols.size(), rank = ranks_.size();
        for (size_t i = 0; i + 1 < symbols.size(); ++i) {
          const auto it = ranks_.find({symbols[i], symbols[i + 1]});
          if (it != ranks_.end() && it->second < rank) rank = it->second, best = i;
        }
        if (best == symbols.size()) break;
        symbols[best] += symbols[best + 1];
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
      }
      for (const std::string& symbol : symbols) ids.push_back(vocab_.at(symbol));
    }
    return ids;
  }

 private:
  SplitPattern pattern_;
  std::map<std::string, int32_t> vocab_;
  std::map<std::pair<std::string, std::string>, size_t> ranks_;
};

enum class Kind { kBytes, kFewLetters, kWords, kRuns, kUnicode };
constexpr Kind kKinds[] = {Kind::kBytes, Kind::kFewLetters, Kind::kWords, Kind::kRuns, Kind::kUnicode};

std::string RandomText(Kind kind, size_t size, std::mt19937_64& random) {
  const auto below = [&](uint64_t n) { return random() % n; };
  static constexpr const char* kWords[] = {"the ", "theory", " other", "\n", "1234 ", "it's", "  ", "an", "\tend."};
  std::string text;
  while (text.size() < size) {
    switch (kind) {
      case Kind::kBytes:
        text += static_cast<char>(random());
        break;
      case Kind::kFewLetters:
        text += "aab "[below(4)];
        break;
      case Kind::kWords:
        text += kWords[below(std::size(kWords))];
        break;
      case Kind::kRuns:
        text.append(1 + below(60), "a \n0\0\xFF="[below(7)]);
        break;
      case Kind::kUnicode:
        text += std::string_view("\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80\xE2\x80").substr(below(8), 1 + below(4));
        break;
    }
  }
  return text;
}

Tokenizer Trained(int64_t vocab_size) {
  std::mt19937_64 random(5);
  std::string text;
  for (Kind kind : kKinds) text += RandomText(kind, 20000, random);
  return *TrainBpe(text, {.vocab_size = vocab_size});
}

TEST(Bpe, IsThePlainAlgorithmOnAnyBytes) {
  for (int64_t vocab_size : {257, 300, 3000}) {
    const Tokenizer tokenizer = Trained(vocab_size);
    const PlainBpe plain(tokenizer);
    std::mt19937_64 random(6);
    for (int trial = 0; trial < 400; ++trial) {
      const std::string text = RandomText(kKinds[trial % 5], random() % 300, random);
      const Ids ids = *tokenizer.Encode(text);
      ASSERT_EQ(ids, plain.Encode(text)) << testing::PrintToString(text);
      ASSERT_EQ(*tokenizer.Decode(ids), text);
    }
  }
}

// One piece of thousands of bytes goes another way than short ones.
TEST(Bpe, LongPieces) {
  const Tokenizer tokenizer = Trained(2000);
  const PlainBpe plain(tokenizer);
  std::mt19937_64 random(7);
  for (size_t size : {47, 48, 49, 50, 600}) {
    for (const char* letters : {"ab", "theor", "aaab"}) {
      std::string piece;
      while (piece.size() < size) piece += letters[random() % std::string_view(letters).size()];
      ASSERT_EQ(*tokenizer.Encode(piece), plain.Encode(piece)) << piece;
    }
    ASSERT_EQ(*tokenizer.Encode(std::string(size, 'a')), plain.Encode(std::string(size, 'a')));
    ASSERT_EQ(*tokenizer.Encode(std::string(size, ' ')), plain.Encode(std::string(size, ' ')));
  }
}

TEST(Bpe, ALongPieceTakesNearLinearTime) {
  const Tokenizer tokenizer = Trained(2000);
  std::string piece;
  std::mt19937_64 random(8);
  for (int i = 0; i < 500'000; ++i) piece += "abtheor"[random() % 7];
  const auto start = std::chrono::steady_clock::now();
  const Ids ids = *tokenizer.Encode(piece);
  // A fraction of a second; a quadratic way would take the better part of an hour.
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
  EXPECT_EQ(*tokenizer.Decode(ids), piece);
}

TEST(Bpe, SameIdsAtAnyThreadCountAndInPieces) {
  const Tokenizer tokenizer = Trained(1000);
  std::mt19937_64 random(9);
  std::string text;
  for (int i = 0; i < 30; ++i) text += RandomText(kKinds[i % 5], 55000, random) + " word ";
  Ids first;
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    ScopedThreadPool scope(pool);
    const Ids ids = *tokenizer.Encode(text);
    if (first.empty()) first = ids;
    EXPECT_TRUE(ids == first) << threads << " threads";
    Ids pieces;
    int calls = 0;
    EXPECT_TRUE(tokenizer
                    .EncodePieces(text, {},
                                  [&](std::span<const int32_t> some) {
                                    pieces.insert(pieces.end(), some.begin(), some.end());
                                    ++calls;
                                    return absl::OkStatus();
                                  })
                    .ok());
    EXPECT_TRUE(pieces == first);
    EXPECT_GT(calls, 5);
  }
  EXPECT_TRUE(*tokenizer.Decode(first) == text);
}

TEST(Bpe, EncodePiecesStopsAtTheFirstError) {
  const Tokenizer tokenizer = Trained(300);
  int calls = 0;
  const absl::Status status =
      tokenizer.EncodePieces(std::string(1 << 20, 'a') + " b", {}, [&](std::span<const int32_t>) {
        ++calls;
        return absl::ResourceExhaustedError("full");
      });
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(calls, 1);
}

// A file may list a merge before those that make its parts, or a pair twice; ranks still rule.
TEST(Bpe, MergesInAnyOrder) {
  const auto encode = [](const char* merges, std::string_view text) {
    std::string vocab;
    const char* tokens[] = {"a", "b", "c", "ab", "bc", "abc", "abab"};
    for (int i = 0; i < 7; ++i) vocab += (i > 0 ? "," : "") + std::string("\"") + tokens[i] + "\":" + std::to_string(i);
    const std::string byte_level = R"({"type":"ByteLevel","add_prefix_space":false})";
    const auto tokenizer =
        Tokenizer::FromJson("{\"pre_tokenizer\":" + byte_level + ",\"decoder\":" + byte_level +
                            ",\"model\":{\"type\":\"BPE\",\"vocab\":{" + vocab + "},\"merges\":" + merges + "}}");
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return *tokenizer->Encode(text);
  };
  EXPECT_EQ(encode(R"(["a b", "b c", "ab c"])", "abcbc"), (Ids{5, 4}));
  EXPECT_EQ(encode(R"(["b c", "a b", "ab c", "a bc"])", "abcab"), (Ids{5, 3}));
  EXPECT_EQ(encode(R"(["ab ab", "ab c", "a b"])", "ababc"), (Ids{6, 2}));
  EXPECT_EQ(encode(R"([["ab", "c"], ["a", "b"]])", "abc"), Ids{5});
  // Of a pair that is listed twice the later rank counts.
  EXPECT_EQ(encode(R"(["a b", "b c", "a b"])", "abc"), (Ids{0, 4}));
}

}  // namespace
}  // namespace quern
