// tokenizer.json: what is refused, how, and that a hostile file does no harm.
#include "data/tokenizer/tokenizer_json.h"

#include <map>
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "data/tokenizer/bpe_train.h"
#include "data/tokenizer/tokenizer.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

// A small valid file that has a bit of everything.
Json Valid() {
  return *ParseJson(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 6, "content": "<s>", "special": true, "single_word": false, "lstrip": false,
                      "rstrip": false, "normalized": false},
                     {"id": 7, "content": "xx", "special": false}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
      {"type": "Split", "pattern": {"Regex": ""}, "behavior": "Isolated", "invert": false},
      {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false}]},
    "post_processor": {"type": "Sequence", "processors": [
      {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": false, "use_regex": true},
      {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}},
                                                {"Sequence": {"id": "A", "type_id": 0}}],
       "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [6], "tokens": ["<s>"]}}}]},
    "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
    "model": {"type": "BPE", "dropout": null, "unk_token": "c", "continuing_subword_prefix": "",
              "end_of_word_suffix": "", "fuse_unk": false, "byte_fallback": false, "ignore_merges": true,
              "vocab": {"a": 0, "b": 1, "c": 2, "ab": 3, "abc": 4, "Ġ": 5},
              "merges": [["a", "b"], "ab c"]}})",
                    "test");
}

Json ValidLlama3() {
  Json root = Valid();
  root["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = std::string(SplitRegex(SplitPattern::kLlama3));
  return root;
}

using Pointer = Json::json_pointer;

absl::Status Load(const Json& root) { return Tokenizer::FromJson(WriteJson(root)).status(); }

// ValidLlama3 with one value replaced.
absl::Status LoadWith(const std::string& pointer, const Json& value) {
  Json root = ValidLlama3();
  root[Pointer(pointer)] = value;
  return Load(root);
}

TEST(TokenizerJson, TheSmallFileIsValid) {
  const auto tokenizer = Tokenizer::FromJson(WriteJson(ValidLlama3()));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  EXPECT_EQ(tokenizer->pattern(), "llama3");
  EXPECT_EQ(*tokenizer->Encode("abc xx!", {.add_special = true}), (std::vector<int32_t>{6, 4, 5, 7, 2}));
}

TEST(TokenizerJson, SaysWhatItDoesNotSupport) {
  const std::vector<std::tuple<std::string, Json, std::string>> cases = {
      {"/model/type", "Unigram", "model \"Unigram\" is not supported"},
      {"/model/type", "WordPiece", "model \"WordPiece\" is not supported"},
      {"/model/dropout", 0.1, "model.dropout is 0.1"},
      {"/model/continuing_subword_prefix", "##", "continuing_subword_prefix"},
      {"/model/end_of_word_suffix", "</w>", "end_of_word_suffix"},
      {"/model/byte_fallback", true, "byte_fallback"},
      {"/model/unk_token", "zz", "unk_token \"zz\" is not in model.vocab"},
      {"/normalizer", {{"type", "Lowercase"}}, "Lowercase"},
      {"/pre_tokenizer", nullptr, "pre_tokenizer null is not supported"},
      {"/pre_tokenizer/pretokenizers/0/pattern/Regex", R"(\w+)", "a pattern is never guessed"},
      {"/pre_tokenizer/pretokenizers/0/behavior", "Removed", "Removed"},
      {"/pre_tokenizer/pretokenizers/0/invert", true, "invert true"},
      {"/pre_tokenizer/pretokenizers/1/use_regex", true, "pre_tokenizer"},
      {"/pre_tokenizer/pretokenizers/1/type", "Metaspace", "Metaspace"},
      {"/decoder", nullptr, "decoder null is not supported"},
      {"/decoder/type", "Metaspace", "Metaspace"},
      {"/post_processor/processors/1/type", "Magic", "Magic"},
      {"/post_processor/processors/1/special_tokens/<s>/ids", {99}, "the id 99, which is no token's"},
      {"/model", Json::array(), "has no `model` object"},
  };
  for (const auto& [pointer, value, what] : cases) {
    const absl::Status status = LoadWith(pointer, value);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << pointer;
    EXPECT_TRUE(absl::StrContains(status.message(), what)) << pointer << ": " << status;
    EXPECT_TRUE(absl::StrContains(status.message(), "tokenizer.json")) << status;
  }
}

TEST(TokenizerJson, ChecksIdsAndMerges) {
  const std::vector<std::tuple<std::string, Json, std::string>> cases = {
      {"/model/vocab/a", 1, "two tokens have the id 1"},
      {"/model/vocab/a", -1, "not an integer in [0"},
      {"/model/vocab/a", 4'000'000, "not an integer in [0"},
      {"/model/vocab/a", uint64_t{1} << 63, "not an integer in [0"},
      {"/model/vocab/a", 0.5, "not an integer in [0"},
      {"/model/vocab/a", "0", "not an integer in [0"},
      {"/model/vocab", Json::array(), "model.vocab is not an object"},
      {"/model/merges", Json::object(), "model.merges is not an array"},
      {"/model/merges/0", "ab", "model.merges[0] is \"ab\", not a pair"},
      {"/model/merges/0", "a b c", "not a pair"},
      {"/model/merges/0", " b", "not a pair"},
      {"/model/merges/0", {"a", "b", "c"}, "not a pair"},
      {"/model/merges/0", {"a", 1}, "not a pair"},
      {"/model/merges/0", {"a", "q"}, "needs the token \"q\""},
      {"/model/merges/0", {"b", "a"}, "needs the token \"ba\""},
      {"/added_tokens", Json::object(), "added_tokens is not an array"},
      {"/added_tokens/0", 5, "added_tokens[0]"},
      {"/added_tokens/0/id", -1, "added_tokens[0]"},
      {"/added_tokens/0/id", 1e15, "added_tokens[0]"},
      {"/added_tokens/0/id", 0, "the id 0, which model.vocab gives to another token"},
      {"/added_tokens/0/id", 7, "two tokens have the id 7"},
      {"/added_tokens/0/content", "", "0 bytes"},
      {"/added_tokens/0/content", std::string(5000, 'x'), "5000 bytes"},
      {"/added_tokens/0/content", "xx", "is there twice"},
      {"/added_tokens/0/special", "yes", "special"},
  };
  for (const auto& [pointer, value, what] : cases) {
    const absl::Status status = LoadWith(pointer, value);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << pointer;
    EXPECT_TRUE(absl::StrContains(status.message(), what)) << pointer << ": " << status;
  }
}

// Loads, and uses what loads.
void Try(const std::string& text) {
  const auto tokenizer = Tokenizer::FromJson(text);
  if (!tokenizer.ok()) {
    EXPECT_EQ(tokenizer.status().code(), absl::StatusCode::kInvalidArgument) << tokenizer.status();
    EXPECT_LT(tokenizer.status().message().size(), 1000u) << tokenizer.status();
    return;
  }
  EXPECT_LT(tokenizer->vocab_size(), 2'000'000);
  for (bool special : {false, true}) {
    const auto ids = tokenizer->Encode("abc ab<s>xx\xFF\n", {.add_special = special, .parse_special = special});
    if (ids.ok()) {
      EXPECT_TRUE(tokenizer->Decode(*ids).ok());
    }
  }
}

TEST(TokenizerJson, AnyValueAnywhereIsReadOrRefused) {
  const Json values[] = {nullptr,
                         true,
                         -1,
                         0,
                         3,
                         1e308,
                         uint64_t{1} << 63,
                         "",
                         "a",
                         "Sequence",
                         Json::array(),
                         Json::object(),
                         {1, "a", nullptr},
                         {{"id", "A"}, {"type", "Split"}}};
  for (const Json& valid : {ValidLlama3(), *ParseJson(Tokenizer::Bytes().json(), "bytes")}) {
    const Json leaves = valid.flatten();
    for (const auto& [pointer, old] : leaves.items()) {
      // Each value on the way to the leaf, too.
      for (Pointer at(pointer); !at.empty(); at = at.parent_pointer()) {
        if (valid.dump().size() > 3000 && absl::StartsWith(at.to_string(), "/model/vocab/")) continue;
        for (const Json& value : values) {
          Json root = valid;
          root[at] = value;
          Try(WriteJson(root));
        }
      }
    }
  }
}

TEST(TokenizerJson, EveryPrefixIsRefused) {
  std::string text = WriteJsonLine(ValidLlama3());
  while (text.back() == '\n') text.pop_back();
  for (size_t size = 0; size < text.size(); ++size) {
    ASSERT_FALSE(Tokenizer::FromJson(text.substr(0, size)).ok()) << size;
  }
  EXPECT_TRUE(Tokenizer::FromJson(text).ok());
}

TEST(TokenizerJson, DamagedBytesAreReadOrRefused) {
  const std::string valid = WriteJson(ValidLlama3());
  std::mt19937_64 random(1);
  for (int trial = 0; trial < 3000; ++trial) {
    std::string text = valid;
    for (int n = 0; n < 1 + trial % 3; ++n) text[random() % text.size()] = static_cast<char>(random());
    Try(text);
  }
}

TEST(TokenizerJson, SizesAreBoundedByTheFile) {
  EXPECT_FALSE(Tokenizer::FromJson(std::string(200'000, '[')).ok());
  std::string nested = WriteJsonLine(ValidLlama3());
  nested.insert(1, "\"x\":" + std::string(5000, '[') + std::string(5000, ']') + ",");
  EXPECT_FALSE(Tokenizer::FromJson(nested).ok());
  // A key twice: readers would disagree on which counts.
  std::string twice = WriteJsonLine(ValidLlama3());
  twice.insert(1, "\"model\":{},");
  EXPECT_TRUE(absl::StrContains(Tokenizer::FromJson(twice).status().message(), "model"));
  // A template that repeats a token for ever.
  Json root = ValidLlama3();
  Json& single = root["post_processor"]["processors"][1]["single"];
  for (int i = 0; i < 1000; ++i) single.insert(single.begin(), single[0]);
  EXPECT_TRUE(absl::StrContains(Load(root).message(), "too many tokens"));
}

// Merges whose pairs all fall into one another's way in the table of a plain hash.
TEST(TokenizerJson, ManyMergesOfOneToken) {
  Json root = ValidLlama3();
  Json& vocab = root["model"]["vocab"];
  Json merges = Json::array();
  std::string run = "a";
  for (int i = 0; i < 3000; ++i) {
    merges.push_back({run, "a"});
    run += "a";
    vocab[run] = 8 + i;
  }
  root["model"]["merges"] = std::move(merges);
  root["model"]["ignore_merges"] = false;
  const auto tokenizer = Tokenizer::FromJson(WriteJson(root));
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const auto ids = tokenizer->Encode(std::string(100'000, 'a'));
  ASSERT_TRUE(ids.ok());
  EXPECT_EQ(*tokenizer->Decode(*ids), std::string(100'000, 'a'));
}

TEST(TokenizerJson, WrittenFilesReadBackAlike) {
  for (const SplitPattern pattern : {SplitPattern::kGpt2, SplitPattern::kCl100k, SplitPattern::kLlama3,
                                     SplitPattern::kQwen2, SplitPattern::kO200k}) {
    Json root = Valid();
    root["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = std::string(SplitRegex(pattern));
    const auto parts = ReadTokenizerJson(WriteJson(root), "test");
    ASSERT_TRUE(parts.ok()) << parts.status();
    const auto again = ReadTokenizerJson(WriteTokenizerJson(*parts), "test");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->pattern, pattern);
    EXPECT_EQ(again->nfc, true);
    EXPECT_EQ(again->ignore_merges, true);
    EXPECT_EQ(again->merges.size(), 2u);
    EXPECT_EQ(again->tokens.size(), parts->tokens.size());
    EXPECT_EQ(WriteTokenizerJson(*again), WriteTokenizerJson(*parts));
  }
}

}  // namespace
}  // namespace quern
