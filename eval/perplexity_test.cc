#include "eval/perplexity.h"

#include <cmath>

#include "base/interrupt.h"
#include "base/thread_pool.h"
#include "eval/windows.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nn/score/score.h"
#include "nn/testing.h"

namespace quern {
namespace {

using ::testing::HasSubstr;

constexpr char kText[] = "In the beginning God created the heaven and the earth.\nAnd the earth was without form.\n";

std::unique_ptr<LanguageModel> ByteModel() {
  return MakeModel(ConfigOf("gpt2 { vocab_size: 256 n_positions: 32 n_embd: 16 n_head: 2 n_layer: 2 "
                            "initializer_range: 0.4 }"),
                   /*seed=*/3)
      .value();
}

// A tokenizer of 97 symbols and more, of which one is BOS.
Tokenizer WithBos() {
  return Tokenizer::FromJson(R"({"version": "1.0", "added_tokens": [{"id": 3, "content": "<s>", "special": true,
    "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}], "pre_tokenizer": {"type": "ByteLevel",
    "add_prefix_space": false, "use_regex": false}, "decoder": {"type": "ByteLevel"},
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2}, "merges": []}})")
      .value();
}

EvalText Encoded(const Tokenizer& tokenizer, std::string_view text) {
  return EncodeEvalText(tokenizer, text, "test.txt").value();
}

// -log p of the last token of `ids`, by nn/score.
double LastNats(LanguageModel& model, const std::vector<int32_t>& ids) {
  return -Score(model, std::vector<std::vector<int32_t>>{ids}, {}).value()[0].logprobs.back();
}

// A model without an opinion: each of 256 bytes costs 8 bits.
TEST(PerplexityTest, AUniformModelPaysEightBitsPerByte) {
  std::unique_ptr<LanguageModel> model = ByteModel();
  model->Visit([](std::string_view, Var& parameter) {
    Tensor weights = parameter.value();
    std::fill_n(weights.mutable_data<float>(), weights.elements(), 0.0f);
  });
  const Tokenizer bytes = Tokenizer::Bytes();
  for (PerplexityMode mode : {PerplexityMode::kToken, PerplexityMode::kRolling, PerplexityMode::kStrided}) {
    const Perplexity p = MeasurePerplexity(*model, bytes, Encoded(bytes, kText), {.mode = mode}).value();
    EXPECT_NEAR(p.bits_per_byte(), 8, 1e-6);
    EXPECT_NEAR(p.perplexity(), 256, 1e-3);
    EXPECT_NEAR(p.byte_perplexity(), 256, 1e-3);
    EXPECT_EQ(p.tokens, p.bytes);
    EXPECT_EQ(p.first_token, "uniform");
  }
}

// Every token by itself, with the context that the definition gives it.
TEST(PerplexityTest, EqualsTheSumOverSingleTokens) {
  std::unique_ptr<LanguageModel> model = ByteModel();
  const Tokenizer bytes = Tokenizer::Bytes();
  const EvalText text = Encoded(bytes, kText);
  const int64_t n = static_cast<int64_t>(text.ids.size()), context = 12, stride = 5;
  auto sum = [&](const std::function<int64_t(int64_t)>& begin) {
    double nats = std::log(256.0);
    for (int64_t t = 1; t < n; ++t) {
      nats += LastNats(*model, {text.ids.begin() + begin(t), text.ids.begin() + t + 1});
    }
    return nats;
  };
  auto measured = [&](PerplexityMode mode, int64_t s) {
    return MeasurePerplexity(*model, bytes, text, {mode, context, s}).value().nats;
  };
  EXPECT_NEAR(measured(PerplexityMode::kToken, 0), sum([&](int64_t t) { return (t - 1) / context * context; }), 1e-3);
  EXPECT_NEAR(measured(PerplexityMode::kRolling, 0), sum([&](int64_t t) {
                const int64_t begin = (t - 1) / context * context;
                return begin + context + 1 >= n ? n - 1 - context : begin;
              }),
              1e-3);
  EXPECT_NEAR(measured(PerplexityMode::kStrided, stride),
              sum([&](int64_t t) { return t < context ? 0 : (t - context) / stride * stride + stride; }), 1e-3);
}

TEST(PerplexityTest, TheSameBitsWithAnyNumberOfThreads) {
  std::unique_ptr<LanguageModel> model = ByteModel();
  const EvalText text = Encoded(Tokenizer::Bytes(), std::string(kText) + kText + kText);
  std::vector<double> nats;
  for (int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    ScopedThreadPool scope(pool);
    nats.push_back(MeasurePerplexity(*model, Tokenizer::Bytes(), text, {.context = 7}).value().nats);
  }
  EXPECT_EQ(nats[0], nats[1]);
  EXPECT_EQ(nats[0], nats[2]);
}

TEST(PerplexityTest, TheFirstTokenFollowsBos) {
  std::unique_ptr<LanguageModel> model =
      MakeModel(ConfigOf("gpt2 { vocab_size: 4 n_positions: 8 n_embd: 8 n_head: 2 n_layer: 1 initializer_range: 1 }"),
                1)
          .value();
  const Tokenizer tokenizer = WithBos();
  const EvalText one = Encoded(tokenizer, "b");
  for (PerplexityMode mode : {PerplexityMode::kToken, PerplexityMode::kStrided}) {
    const Perplexity p = MeasurePerplexity(*model, tokenizer, one, {.mode = mode}).value();
    EXPECT_EQ(p.first_token, "bos");
    EXPECT_EQ(p.tokens, 1);
    EXPECT_NEAR(p.nats, LastNats(*model, {3, 1}), 1e-6);
  }
  const EvalText two = Encoded(tokenizer, "ba");
  EXPECT_NEAR(MeasurePerplexity(*model, tokenizer, two, {}).value().nats,
              LastNats(*model, {3, 1}) + LastNats(*model, {3, 1, 0}), 1e-5);
  EXPECT_NEAR(MeasurePerplexity(*model, tokenizer, two, {.mode = PerplexityMode::kStrided}).value().nats,
              LastNats(*model, {3, 1}) + LastNats(*model, {1, 0}), 1e-5);
}

TEST(PerplexityTest, Ratios) {
  Perplexity p;
  p.nats = 2 * std::log(2.0) * 12;
  p.tokens = 6, p.words = 3, p.bytes = 12;
  EXPECT_DOUBLE_EQ(p.loss(), 4 * std::log(2.0));
  EXPECT_NEAR(p.perplexity(), 16, 1e-12);
  EXPECT_NEAR(p.word_perplexity(), 256, 1e-10);
  EXPECT_NEAR(p.byte_perplexity(), 4, 1e-12);
  EXPECT_DOUBLE_EQ(p.bits_per_byte(), 2);
}

TEST(PerplexityTest, RefusesWhatDoesNotFit) {
  std::unique_ptr<LanguageModel> model = ByteModel();
  const Tokenizer bytes = Tokenizer::Bytes();
  const EvalText text = Encoded(bytes, kText);
  auto message = [&](const PerplexityOptions& options) {
    return std::string(MeasurePerplexity(*model, bytes, text, options).status().message());
  };
  EXPECT_THAT(message({.context = 33}), HasSubstr("the model's 32 positions, not 33"));
  EXPECT_THAT(message({.mode = PerplexityMode::kStrided, .context = 8, .stride = 9}), HasSubstr("context of 8 tokens"));
  std::unique_ptr<LanguageModel> small = SmallModel("gpt2");
  EXPECT_THAT(MeasurePerplexity(*small, bytes, text, {}).status().message(), HasSubstr("does not belong to the model"));
  SimulateInterrupt(2);
  EXPECT_TRUE(absl::IsCancelled(MeasurePerplexity(*model, bytes, text, {}).status()));
  SimulateInterrupt(0);
}

TEST(EvalTextTest, CountsWordsAndBytes) {
  EXPECT_EQ(CountWords(""), 0);
  EXPECT_EQ(CountWords("  one\ttwo\r\n\nthree "), 3);
  EXPECT_EQ(CountWords("a\xC2\xA0"
                       "b\xE3\x80\x80"
                       "c\xE2\x80\x8B"
                       "d"),
            3);  // no-break, ideographic; zero width is none
  EXPECT_EQ(CountWords("\xFF x\xFFy \xE3\x80"), 3);
  const EvalText text = Encoded(Tokenizer::Bytes(), "ab cd\n");
  EXPECT_EQ(text.bytes, 6);
  EXPECT_EQ(text.words, 2);
  EXPECT_EQ(text.ids.size(), 6u);
}

TEST(EvalTextTest, JsonLinesAreDocuments) {
  const std::string lines = "{\"text\": \"ab c\", \"id\": 1}\n\n{\"text\": \"d\\n\"}";
  const EvalText text = EncodeEvalText(Tokenizer::Bytes(), lines, "t.jsonl").value();
  EXPECT_EQ(std::string(text.ids.begin(), text.ids.end()), "ab c\nd\n\n");
  EXPECT_EQ(text.bytes, 8);
  EXPECT_EQ(text.words, 3);
  EXPECT_THAT(EncodeEvalText(Tokenizer::Bytes(), "{\"text\": \"a\"}\n{", "t.jsonl").status().message(),
              HasSubstr("t.jsonl: line 2"));
}

TEST(EvalTextTest, RefusesWhatIsNoText) {
  auto message = [](std::string_view bytes) {
    return std::string(EncodeEvalText(Tokenizer::Bytes(), bytes, "t.txt").status().message());
  };
  EXPECT_THAT(message(""), HasSubstr("t.txt: it is empty"));
  EXPECT_THAT(message(" \n"), HasSubstr("t.txt: it is empty"));
  EXPECT_THAT(message(std::string_view("ab\0c", 4)), HasSubstr("NUL byte at offset 2"));
}

}  // namespace
}  // namespace quern
