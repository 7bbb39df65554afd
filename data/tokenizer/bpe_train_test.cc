#include "data/tokenizer/bpe_train.h"

#include <csignal>
#include <map>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/thread_pool.h"
#include "data/tokenizer/split_pattern.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Symbols = std::vector<std::string>;

// The definition in bpe_train.h, word for word: counts everything anew for each merge.
Symbols PlainMerges(std::string_view text, size_t merges) {
  std::vector<Symbols> pieces;
  for (std::string_view piece : SplitPieces(text, SplitPattern::kGpt2)) {
    Symbols& symbols = pieces.emplace_back();
    for (char c : piece) symbols.emplace_back(1, c);
  }
  Symbols made;
  while (made.size() < merges) {
    std::map<std::pair<std::string, std::string>, int64_t> counts;
    for (const Symbols& symbols : pieces) {
      for (size_t i = 0; i + 1 < symbols.size(); ++i) ++counts[{symbols[i], symbols[i + 1]}];
    }
    if (counts.empty()) break;
    auto best = counts.begin();
    for (auto it = counts.begin(); it != counts.end(); ++it) {
      if (it->second >= best->second) best = it;  // the map ascends: the last of equals is the greatest
    }
    const auto [left, right] = best->first;
    made.push_back(left + "|" + right);
    for (Symbols& symbols : pieces) {
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (symbols[i] != left || symbols[i + 1] != right) continue;
        symbols[i] += right;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
  }
  return made;
}

Symbols MergesOf(const Tokenizer& tokenizer) {
  const Json root = *ParseJson(tokenizer.json(), "tokenizer.json");
  Symbols merges;
  for (const Json& merge : root["model"]["merges"]) {
    std::string both[2];
    for (int i = 0; i < 2; ++i) {
      const auto id = root["model"]["vocab"][merge[i].get<std::string>()].get<int32_t>();
      both[i] = std::string(tokenizer.TokenBytes(id));
    }
    merges.push_back(both[0] + "|" + both[1]);
  }
  return merges;
}

std::string RandomText(std::mt19937_64& random, size_t size) {
  static constexpr const char* kParts[] = {"a",  "aa",       "b", "ab ",  " the", "then ",
                                           "\n", "\xC3\xA9", "0", "\xFF", "aaaa"};
  std::string text;
  while (text.size() < size) text += kParts[random() % std::size(kParts)];
  return text;
}

TEST(TrainBpe, MakesTheMergesOfTheDefinition) {
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 30; ++trial) {
    const std::string text = RandomText(random, 50 + random() % 1500);
    const auto trained = TrainBpe(text, {.vocab_size = 300, .special_tokens = {}});
    ASSERT_TRUE(trained.ok()) << trained.status();
    ASSERT_EQ(MergesOf(*trained), PlainMerges(text, 44)) << testing::PrintToString(text);
  }
}

TEST(TrainBpe, TheClassicExample) {
  const auto trained = TrainBpe(
      "low low low low low lower lower widest widest widest newest newest newest newest newest "
      "newest",
      {.vocab_size = 256 + 6, .special_tokens = {}});
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(MergesOf(*trained), (Symbols{"s|t", "e|st", "o|w", "l|ow", "w|est", "n|e"}));
}

TEST(TrainBpe, IdsAreBytesThenMergesThenSpecials) {
  const auto trained = TrainBpe("ab ab ab", {.vocab_size = 260, .special_tokens = {"<|endoftext|>", "<|pad|>"}});
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->kind(), TokenizerKind::kBpe);
  EXPECT_EQ(trained->vocab_size(), 260);
  EXPECT_EQ(trained->merge_count(), 2);
  for (int b = 0; b < 256; ++b) EXPECT_EQ(trained->TokenBytes(b), std::string(1, static_cast<char>(b)));
  EXPECT_EQ(trained->TokenBytes(256), "ab");
  EXPECT_EQ(trained->TokenBytes(257), " ab");
  EXPECT_EQ(trained->TokenBytes(258), "<|endoftext|>");
  EXPECT_EQ(trained->bos_id(), 258);
  EXPECT_EQ(trained->eos_id(), 258);
  EXPECT_TRUE(trained->IsSpecial(259));
}

TEST(TrainBpe, StopsWhereThereAreNoMorePairs) {
  const auto trained = TrainBpe("abab", {.vocab_size = 4096});
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->vocab_size(), 256 + 2 + 1);
  EXPECT_EQ(*trained->Encode("abab"), std::vector<int32_t>{257});
  const auto rare = TrainBpe("abab cd", {.vocab_size = 4096, .min_count = 2});
  EXPECT_EQ(rare->merge_count(), 1);
  EXPECT_EQ(TrainBpe("a", {.vocab_size = 300})->vocab_size(), 257);
}

TEST(TrainBpe, SpecialTokensSeparateDocumentsAndAreNotCounted) {
  const auto trained = TrainBpe("ab<|endoftext|>cd<|endoftext|>ab", {.vocab_size = 300});
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(MergesOf(*trained), (Symbols{"a|b", "c|d"}));
}

TEST(TrainBpe, TheSameFileAtAnyThreadCount) {
  std::mt19937_64 random(2);
  std::string text;
  for (int i = 0; i < 4; ++i) text += RandomText(random, 800'000) + (i % 2 == 0 ? "<|endoftext|>" : " x ");
  std::string first;
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    ScopedThreadPool scope(pool);
    const auto trained = TrainBpe(text, {.vocab_size = 600});
    ASSERT_TRUE(trained.ok()) << trained.status();
    if (first.empty()) first = trained->json();
    EXPECT_TRUE(trained->json() == first) << threads << " threads";
  }
}

TEST(TrainBpe, TheFileReadsBackAsTheSameTokenizer) {
  std::mt19937_64 random(3);
  const std::string text = RandomText(random, 20000);
  const Tokenizer trained = *TrainBpe(text, {.vocab_size = 500});
  const auto read = Tokenizer::FromJson(trained.json());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->json(), trained.json());
  EXPECT_EQ(read->sha256(), trained.sha256());
  EXPECT_EQ(read->vocab_size(), trained.vocab_size());
  EXPECT_EQ(read->bos_id(), trained.bos_id());
  EXPECT_EQ(read->pattern(), "gpt2");
  for (int trial = 0; trial < 50; ++trial) {
    const std::string some = RandomText(random, 200) + "<|endoftext|>";
    for (bool parse_special : {false, true}) {
      EXPECT_EQ(*read->Encode(some, {.parse_special = parse_special}),
                *trained.Encode(some, {.parse_special = parse_special}));
    }
  }
}

TEST(TrainBpe, RefusesWhatMakesNoSense) {
  const auto says = [](const absl::StatusOr<Tokenizer>& trained, const char* what) {
    EXPECT_EQ(trained.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(trained.status().message(), what)) << trained.status();
  };
  says(TrainBpe("text", {.vocab_size = 256}), "outside 257");
  says(TrainBpe("text", {.vocab_size = -1}), "vocab_size -1");
  says(TrainBpe("text", {.vocab_size = int64_t{1} << 40}), "outside");
  says(TrainBpe("text", {.special_tokens = {"<a>", "<a>"}}), "<a> is there twice");
  says(TrainBpe("text", {.special_tokens = {""}}), "empty");
  says(TrainBpe("", {}), "empty");
}

TEST(TrainBpe, CanBeInterrupted) {
  SimulateInterrupt(SIGINT);
  EXPECT_EQ(TrainBpe("some text", {}).status().code(), absl::StatusCode::kCancelled);
  SimulateInterrupt(0);
}

}  // namespace
}  // namespace quern
