// Ids against those that the tokenizers' own makers give: files and vectors by others, found through QUERN_FIXTURES.
#include <cstring>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "data/tokenizer/bpe_train.h"
#include "data/tokenizer/byte_alphabet.h"
#include "data/tokenizer/char_tokenizer.h"
#include "data/tokenizer/tokenizer.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

class TokenizerFixtures : public testing::Test {
 protected:
  void SetUp() override {
    if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
  }
  std::string Path(const std::string& name) const { return JoinPath(FixturesFolder(), name); }
  std::string Read(const std::string& name) const {
    absl::StatusOr<std::string> bytes = ReadFile(Path(name));
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.value_or("");
  }
  // Loaded once for all tests of the process.
  const Tokenizer& Load(const std::string& name, const std::string& pattern = "") const {
    static auto* loaded = new std::map<std::string, Tokenizer>();
    auto it = loaded->find(name);
    if (it != loaded->end()) return it->second;
    absl::StatusOr<Tokenizer> tokenizer = Tokenizer::Load(Path(name), {.pattern = pattern});
    EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
    return loaded->emplace(name, tokenizer.ok() ? *tokenizer : Tokenizer::Bytes()).first->second;
  }
  const Tokenizer& Gpt2() const { return Load("tokenizer/gpt2/r50k_base.tiktoken", "gpt2"); }
  const Tokenizer& Cl100k() const { return Load("tokenizer/tiktoken/cl100k_base.tiktoken", "cl100k"); }
  const Tokenizer& Llama3() const { return Load("tokenizer/llama3/tokenizer.model", "llama3"); }

  // llama.cpp's vectors: texts, and a line of ids for each.
  void CheckVectors(const Tokenizer& tokenizer, const std::string& name) const {
    const std::string base = absl::StrCat("tokenizer/gguf/ggml-vocab-", name, ".gguf");
    const std::vector<std::string> texts = absl::StrSplit(Read(base + ".inp"), "\n__ggml_vocab_test__\n");
    const std::vector<std::string> lines = absl::StrSplit(Read(base + ".out"), '\n');
    ASSERT_GE(texts.size(), 40u);
    ASSERT_LE(texts.size(), lines.size() + 1);
    for (size_t i = 0; i + 1 < texts.size(); ++i) {
      Ids expected;
      for (absl::string_view word : absl::StrSplit(lines[i], ' ', absl::SkipEmpty())) {
        ASSERT_TRUE(absl::SimpleAtoi(word, &expected.emplace_back())) << lines[i];
      }
      EXPECT_EQ(*tokenizer.Encode(texts[i]), expected) << testing::PrintToString(texts[i]);
      EXPECT_EQ(*tokenizer.Decode(expected), texts[i]);
    }
  }

};

Ids ReadU16(const std::string& bytes) {
  Ids ids(bytes.size() / 2);
  for (size_t i = 0; i < ids.size(); ++i) {
    ids[i] = static_cast<uint8_t>(bytes[2 * i]) | static_cast<uint8_t>(bytes[2 * i + 1]) << 8;
  }
  return ids;
}

// A tokenizer.json from the files that GPT-2 was published as.
std::string JsonFromVocabAndMerges(const Json& vocab, const std::string& merges_file) {
  Json merges = Json::array();
  for (absl::string_view line : absl::StrSplit(merges_file, '\n', absl::SkipEmpty())) {
    if (!absl::StartsWith(line, "#version")) merges.push_back(std::string(line));
  }
  const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}};
  return WriteJson({{"pre_tokenizer", byte_level},
                    {"decoder", byte_level},
                    {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}});
}

TEST_F(TokenizerFixtures, Gpt2) {
  const Tokenizer& ranks = Gpt2();
  EXPECT_EQ(ranks.vocab_size(), 50256);
  CheckVectors(ranks, "gpt-2");
  const auto json = Tokenizer::FromJson(JsonFromVocabAndMerges(
      *ParseJson(Read("tokenizer/gpt2/encoder.json"), "encoder.json"), Read("tokenizer/gpt2/vocab.bpe")));
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->vocab_size(), 50257);
  EXPECT_EQ(json->merge_count(), 50000);
  CheckVectors(*json, "gpt-2");
  for (const char* name : {"corpora/wikitext-2/valid.txt", "text/mars_arabic.utf8.txt", "text/mars_chinese.utf8.txt",
                           "text/mars_russian.utf8.txt", "text/UTF-8-test_kuhn.txt"}) {
    const std::string text = Read(name);
    const Ids ids = *ranks.Encode(text);
    EXPECT_EQ(ids, *json->Encode(text)) << name;
    EXPECT_EQ(*ranks.Decode(ids), text) << name;
  }
  const Json french = *ParseJson(Read("tokenizer/hf/gpt2_encoded_tokens.json"), "gpt2_encoded_tokens.json");
  const std::string text = french["text"].get<std::string>();
  EXPECT_EQ(*json->Encode(text), french["token_ids"].get<Ids>());
  EXPECT_EQ(*json->Decode(french["token_ids"].get<Ids>()), french["decoded_text"].get<std::string>());
}

TEST_F(TokenizerFixtures, NanoGptsTokenStreamsByteForByte) {
  const std::string text = Read("corpora/tinyshakespeare.txt");
  const size_t train = text.size() * 9 / 10;
  const std::string_view first = std::string_view(text).substr(0, train), rest = std::string_view(text).substr(train);
  EXPECT_EQ(*Gpt2().Encode(first), ReadU16(Read("corpora/shakespeare_gpt2_train.bin")));
  EXPECT_EQ(Gpt2().Encode(rest)->size(), 36059u);
  EXPECT_EQ(Gpt2().Encode(Read("corpora/the-verdict.txt"))->size(), 5145u);
  const auto chars = TrainChar(text);
  ASSERT_TRUE(chars.ok()) << chars.status();
  EXPECT_EQ(chars->vocab_size(), 65);
  EXPECT_EQ(*chars->Encode(first), ReadU16(Read("corpora/shakespeare_char_train.bin")));
}

TEST_F(TokenizerFixtures, Llama3) {
  EXPECT_EQ(Llama3().vocab_size(), 128000);
  CheckVectors(Llama3(), "llama-bpe");
  const std::string book = Read("corpora/war-and-peace.txt");
  EXPECT_EQ(*Llama3().Decode(*Llama3().Encode(book)), book);
}

TEST_F(TokenizerFixtures, Cl100k) {
  EXPECT_EQ(Cl100k().vocab_size(), 100256);
  // Published examples of tiktoken's.
  EXPECT_EQ(*Cl100k().Encode("tiktoken is great!"), (Ids{83, 1609, 5963, 374, 2294, 0}));
  EXPECT_EQ(*Cl100k().Encode("hello world"), (Ids{15339, 1917}));
  EXPECT_EQ(*Cl100k().Encode("antidisestablishmentarianism"), (Ids{519, 85342, 34500, 479, 8997, 2191}));
  EXPECT_EQ(*Cl100k().Encode("2 + 2 = 4"), (Ids{17, 489, 220, 17, 284, 220, 19}));
  EXPECT_EQ(*Cl100k().Encode("\xE3\x81\x8A\xE8\xAA\x95\xE7\x94\x9F\xE6\x97\xA5\xE3\x81\x8A\xE3\x82\x81\xE3\x81\xA7\xE3"
                             "\x81\xA8\xE3\x81\x86"),
            (Ids{33334, 45918, 243, 21990, 9080, 33334, 62004, 16556, 78699}));
  const std::string text = Read("text/mars_chinese.utf8.txt") + Read("text/UTF-8-test_kuhn.txt");
  EXPECT_EQ(*Cl100k().Decode(*Cl100k().Encode(text)), text);
}

// What is written for tiktoken ranks is a tokenizer.json that gives the same ids.
TEST_F(TokenizerFixtures, RanksBecomeATokenizerJson) {
  const auto back = Tokenizer::FromJson(Cl100k().json());
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->pattern(), "cl100k");
  const std::string text = Read("corpora/wikitext-2/valid.txt").substr(0, 200000) + Read("text/mars_arabic.utf8.txt");
  EXPECT_EQ(*back->Encode(text), *Cl100k().Encode(text));
}

// GPT-NeoX's file; MPT uses the same vocabulary.
TEST_F(TokenizerFixtures, GptNeoX) {
  const Tokenizer& tokenizer = Load("tokenizer/gptneo/tokenizer.json");
  EXPECT_EQ(tokenizer.pattern(), "gpt2");
  CheckVectors(tokenizer, "mpt");
}

TEST_F(TokenizerFixtures, Phi2IsGpt2WithAddedWhitespace) {
  const Tokenizer& tokenizer = Load("tokenizer/phi2/tokenizer.json");
  EXPECT_EQ(tokenizer.vocab_size(), 50295);
  EXPECT_EQ(tokenizer.eos_id(), 50256);
  const std::string text = Read("corpora/the-verdict.txt");
  EXPECT_EQ(*tokenizer.Encode(text), *Gpt2().Encode(text));
  EXPECT_EQ(*tokenizer.Encode("def f():\n        return"), (Ids{4299, 277, 33529, 198, 50280, 7783}));
  EXPECT_EQ(*tokenizer.Encode("<|endoftext|>", {.parse_special = true}), Ids{50256});
  EXPECT_EQ(tokenizer.Encode("<|endoftext|>")->size(), 7u);
}

TEST_F(TokenizerFixtures, TorchtunesSmallFiles) {
  const Tokenizer& ranks = Load("tokenizer/torchtune/tiktoken_small.model", "llama3");
  EXPECT_EQ(ranks.vocab_size(), 2000);
  const std::string text = Read("corpora/the-verdict.txt");
  EXPECT_EQ(*ranks.Decode(*ranks.Encode(text)), text);
  const auto json = Tokenizer::FromJson(
      JsonFromVocabAndMerges(*ParseJson(Read("tokenizer/torchtune/tiny_bpe_vocab.json"), "tiny_bpe_vocab.json"),
                             Read("tokenizer/torchtune/tiny_bpe_merges.txt")));
  ASSERT_TRUE(json.ok()) << json.status();
  EXPECT_EQ(json->vocab_size(), 2000);
  EXPECT_EQ(*json->Decode(*json->Encode(text)), text);
}

// Stanford CS336's reference: 243 merges of corpus.en, in order.
TEST_F(TokenizerFixtures, TrainingGivesTheReferenceMerges) {
  const auto trained = TrainBpe(Read("tokenizer/cs336/corpus.en"), {.vocab_size = 500});
  ASSERT_TRUE(trained.ok()) << trained.status();
  Json merges = (*ParseJson(trained->json(), "tokenizer.json"))["model"]["merges"];
  std::vector<std::string> ours;
  for (const Json& merge : merges) {
    ours.push_back(absl::StrCat(merge[0].get<std::string>(), " ", merge[1].get<std::string>()));
  }
  const std::vector<std::string> reference =
      absl::StrSplit(Read("tokenizer/cs336/train-bpe-reference-merges.txt"), '\n', absl::SkipEmpty());
  EXPECT_EQ(ours, reference);
  const Json vocab = *ParseJson(Read("tokenizer/cs336/train-bpe-reference-vocab.json"), "vocab.json");
  for (const auto& [token, id] : vocab.items()) {
    EXPECT_TRUE(trained->TokenId(AlphabetToBytes(token).value_or(token)).has_value()) << token;
  }
}

// Llama 2's vocabulary, as Hugging Face has it and as llama2.c has it.
TEST_F(TokenizerFixtures, Llama2) {
  const Tokenizer& json = Load("tokenizer/llama2/tokenizer.json");
  const Tokenizer& bin = Load("tokenizer/llama2/tokenizer.bin");
  const auto written = Tokenizer::FromJson(bin.json());
  ASSERT_TRUE(written.ok()) << written.status();
  const std::string text = Read("corpora/wikitext-2/valid.txt").substr(0, 300000) + Read("text/mars_chinese.utf8.txt") +
                           Read("text/mars_arabic.utf8.txt") + "a    b                           c\n\n\t\t d   ";
  const Ids ids = *bin.Encode(text);
  for (const Tokenizer* tokenizer : {&json, &bin, &*written}) {
    EXPECT_EQ(tokenizer->vocab_size(), 32000);
    EXPECT_EQ(tokenizer->bos_id(), 1);
    EXPECT_EQ(tokenizer->eos_id(), 2);
    EXPECT_TRUE(tokenizer->adds_bos());
    CheckVectors(*tokenizer, "llama-spm");
    EXPECT_EQ(*tokenizer->Encode(text), ids);
    EXPECT_EQ(*tokenizer->Decode(ids), text);
  }
}

TEST_F(TokenizerFixtures, Llama2AsTransformersTestsIt) {
  const Json known = *ParseJson(Read("tokenizer/hf/llama_encoded.json"), "llama_encoded.json");
  const Tokenizer& tokenizer = Load("tokenizer/llama2/tokenizer.json");
  const std::string text = known["text"].get<std::string>();
  const Ids ids = *tokenizer.Encode(text, {.add_special = true});
  EXPECT_EQ(ids, known["token_ids"].get<Ids>());
  EXPECT_EQ(*tokenizer.Decode(ids), known["decoded_text"].get<std::string>());
}

// stories260K's: run.c's own ids.
TEST_F(TokenizerFixtures, Tok512) {
  const Tokenizer& bin = Load("weights/tok512.bin");
  const auto json = Tokenizer::FromJson(bin.json());
  ASSERT_TRUE(json.ok()) << json.status();
  const Json reference = *ParseJson(Read("weights/stories260K.reference.json"), "reference");
  for (const Tokenizer* tokenizer : {&bin, &*json}) {
    EXPECT_EQ(tokenizer->vocab_size(), 512);
    for (const Json& known : reference["texts"]) {
      const std::string text = known["text"];
      const Ids ids = known["token_ids_with_bos"];
      EXPECT_EQ(*tokenizer->Encode(text, {.add_bos = true}), ids);
      EXPECT_EQ(*tokenizer->Encode(text, {.add_special = true}), ids);
      EXPECT_EQ(*tokenizer->Decode(std::span(ids).subspan(1)), text);
      EXPECT_EQ(*tokenizer->Decode(ids), "<s> " + text);
    }
    const std::string text = Read("corpora/wikitext-2/valid.txt").substr(0, 200000) + Read("text/UTF-8-test_kuhn.txt");
    EXPECT_EQ(*tokenizer->Decode(*tokenizer->Encode(text)), text);
    EXPECT_EQ(*tokenizer->Encode(text), *bin.Encode(text));
  }
}

TEST_F(TokenizerFixtures, OtherFormatsAreRefusedByName) {
  const std::map<std::string, std::string> refused = {
      {"tokenizer/gguf/ggml-vocab-gpt-2.gguf", "is a GGUF file"},
      {"negative/gguf/example_v1_FUGG.gguf", "example_v1_FUGG.gguf"},
      {"tokenizer/llama2/tokenizer.model", "is a SentencePiece model"},
      {"tokenizer/sentencepiece/test_model.model", "is a SentencePiece model"},
      {"tokenizer/gpt2/r50k_base.tiktoken", "--pattern"},
      {"tokenizer/gpt2/encoder.json", "has no `model` object"},
      {"tokenizer/gpt2/vocab.bpe", "vocab.bpe"},
      {"corpora/tinyshakespeare.txt", "tinyshakespeare.txt"},
      {"corpora/shakespeare_char_train.bin", "shakespeare_char_train.bin"},
  };
  for (const auto& [name, why] : refused) {
    const absl::Status status = Tokenizer::Load(Path(name)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << name;
    EXPECT_TRUE(absl::StrContains(status.message(), why)) << name << ": " << status;
    EXPECT_LT(status.message().size(), 600u) << name << ": " << status;
  }
}

}  // namespace
}  // namespace quern
