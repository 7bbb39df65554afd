// llama2.c's checkpoints as our models: a small one in both versions, and stories260K against run.c.
#include "nn/import/llama2c.h"

#include <cmath>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "gtest/gtest.h"
#include "nn/decode/decoder.h"
#include "nn/score/score.h"
#include "tensor/io/llama2c_testing.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

// dim 8, two layers of 2 heads of 4 and one of keys; the weights are 0, 1, 2, ... in the order of the file.
std::unique_ptr<LanguageModel> ImportSmall(bool own_head) {
  const int32_t vocab = own_head ? -5 : 5;
  const std::string path = JoinPath(testing::TempDir(), "small.bin");
  const int64_t floats = 40 + 16 + 128 + 64 + 64 + 128 + 16 + 2 * 48 * 3 + 8 + 12 + (own_head ? 40 : 0);
  EXPECT_TRUE(WriteFileAtomic(path, Llama2cHeader0({8, 6, 2, 2, 1, vocab, 3}) + CountingFloats(floats)).ok());
  auto model = ImportLlama2c(path);
  EXPECT_TRUE(model.ok()) << model.status();
  return model.ok() ? *std::move(model) : nullptr;
}

std::vector<float> Values(LanguageModel& model, std::string_view wanted) {
  std::vector<float> values;
  model.Visit([&](std::string_view name, Var& parameter) {
    if (name != wanted) return;
    const float* data = parameter.value().data<float>();
    values.assign(data, data + parameter.value().elements());
  });
  return values;
}

TEST(ImportLlama2c, PutsEveryWeightInItsPlace) {
  auto model = ImportSmall(/*own_head=*/false);
  ASSERT_NE(model, nullptr);
  EXPECT_TRUE(model->config().llama().tie_word_embeddings());
  EXPECT_EQ(model->max_positions(), 3);
  EXPECT_EQ(model->eos_token_ids(), (Ids{2, 1}));
  EXPECT_EQ(Values(*model, "model.embed_tokens.weight")[0], 0);
  EXPECT_EQ(Values(*model, "model.layers.1.input_layernorm.weight")[0], 48);
  // The rows of a head of q, 8 numbers each, were 0, 1, 2, 3; pairs become halves: 0, 2, 1, 3.
  const std::vector<float> q = Values(*model, "model.layers.0.self_attn.q_proj.weight");
  for (int head = 0; head < 2; ++head) {
    for (int row = 0; row < 4; ++row) {
      const int from = 4 * head + std::vector<int>{0, 2, 1, 3}[row];
      EXPECT_EQ(q[8 * (4 * head + row)], 56 + 8 * from) << head << " " << row;
    }
  }
  EXPECT_EQ(Values(*model, "model.layers.1.self_attn.k_proj.weight")[8], 56 + 128 + 32 + 16);
  EXPECT_EQ(Values(*model, "model.layers.1.self_attn.v_proj.weight")[8], 56 + 128 + 64 + 32 + 8);
  EXPECT_EQ(Values(*model, "model.layers.0.mlp.down_proj.weight")[0], 56 + 384 + 16 + 96);
  EXPECT_TRUE(Values(*model, "lm_head.weight").empty());
}

TEST(ImportLlama2c, AHeadOfItsOwn) {
  auto model = ImportSmall(/*own_head=*/true);
  ASSERT_NE(model, nullptr);
  EXPECT_FALSE(model->config().llama().tie_word_embeddings());
  EXPECT_EQ(Values(*model, "lm_head.weight")[0], 40 + 16 + 128 + 64 + 64 + 128 + 16 + 2 * 48 * 3 + 8 + 12);
}

TEST(ImportLlama2c, SizesThatNoModelHasAreRefused) {
  const std::string path = JoinPath(testing::TempDir(), "deep.bin");
  const int32_t layers = 4097;
  const std::string head = Llama2cHeader1({2, 1, layers, 1, 1, 1, 8}, /*shared=*/true);
  ASSERT_TRUE(WriteFileAtomic(path, head + CountingFloats(2 + 2 + layers * (2 + 2 + 16 + 6))).ok());
  const absl::Status status = ImportLlama2c(path).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_NE(status.message().find("deep.bin: model config: num_hidden_layers"), absl::string_view::npos) << status;
}

class Stories260K : public testing::Test {
 protected:
  void SetUp() override {
    if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
    auto model = ImportLlama2c(JoinPath(FixturesFolder(), "weights/stories260K.bin"));
    ASSERT_TRUE(model.ok()) << model.status();
    model_ = *std::move(model);
    reference_ = *ReadJsonFile(JoinPath(FixturesFolder(), "weights/stories260K.reference.json"));
  }

  std::unique_ptr<LanguageModel> model_;
  Json reference_;
};

TEST_F(Stories260K, LogitsAndLogProbabilitiesAreThoseOfRunC) {
  EXPECT_EQ(model_->CountParameters(), 260'032);
  int rows_seen = 0;
  for (const Json& text : reference_["texts"]) {
    const Ids ids = text["token_ids_with_bos"];
    for (ScorePath path : {ScorePath::kTrain, ScorePath::kCached, ScorePath::kEngine}) {
      double worst = 0;
      const auto scores = Score(*model_, std::vector<Ids>{ids}, {.path = path, .chunk = 7},
                                [&](int64_t, int64_t first, const Tensor& logits) {
                                  if (!text.contains("logits_rows")) return;
                                  for (int64_t i = 0; i < logits.dim(0); ++i, ++rows_seen) {
                                    const std::vector<float> row = text["logits_rows"][first + i];
                                    ASSERT_EQ(static_cast<int64_t>(row.size()), logits.dim(1));
                                    const float* ours = logits.data<float>() + i * logits.dim(1);
                                    for (size_t v = 0; v < row.size(); ++v) {
                                      worst = std::max(worst, std::abs(static_cast<double>(ours[v]) - row[v]));
                                    }
                                  }
                                });
      ASSERT_TRUE(scores.ok()) << scores.status();
      EXPECT_LT(worst, 1e-3);
      EXPECT_NEAR(-(*scores)[0].sum, text["nll"]["sum_nll"].get<double>(), 1e-3);
    }
    // Token by token: what the reference's own rows say of the next one.
    if (!text.contains("logits_rows")) continue;
    const auto scores = *Score(*model_, std::vector<Ids>{ids}, {});
    for (size_t t = 0; t + 1 < ids.size(); ++t) {
      const std::vector<double> row = text["logits_rows"][t];
      double total = 0;
      for (double logit : row) total += std::exp(logit);
      EXPECT_NEAR(scores[0].logprobs[t + 1], row[static_cast<size_t>(ids[t + 1])] - std::log(total), 1e-4) << t;
    }
  }
  EXPECT_EQ(rows_seen, 3 * 32);
}

}  // namespace
}  // namespace quern
