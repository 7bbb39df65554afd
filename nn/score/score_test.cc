#include "nn/score/score.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/testing.h"
#include "nn/testing.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

std::vector<Ids> Texts() {
  std::vector<Ids> texts;
  for (int64_t length : {65, 1, 130, 2, 64, 30, 90})
    texts.push_back(RandomIds(length, 97, static_cast<uint64_t>(length)));
  return texts;
}

// By the definition, in f64.
double LogProbability(const Tensor& logits, int64_t row, int32_t id) {
  std::vector<float> values = logits.Slice(0, row, row + 1).ToVector<float>();
  double sum = 0, max = values[0];
  for (float v : values) max = std::max(max, static_cast<double>(v));
  for (float v : values) sum += std::exp(static_cast<double>(v) - max);
  return static_cast<double>(values[static_cast<size_t>(id)]) - max - std::log(sum);
}

TEST(ScoreTest, IsTheLogProbabilityOfEachTokenGivenThoseBefore) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  std::vector<Ids> texts = Texts();
  std::vector<SequenceScore> scores = *Score(*model, texts, {});
  for (size_t s = 0; s < texts.size(); ++s) {
    Tensor logits = TrainLogits(*model, texts[s]);
    ASSERT_EQ(scores[s].logprobs.size(), texts[s].size());
    EXPECT_TRUE(std::isnan(scores[s].logprobs[0]));
    double sum = 0;
    for (size_t t = 1; t < texts[s].size(); ++t) {
      EXPECT_NEAR(scores[s].logprobs[t], LogProbability(logits, static_cast<int64_t>(t) - 1, texts[s][t]), 1e-5);
      sum += static_cast<double>(scores[s].logprobs[t]);
    }
    EXPECT_EQ(scores[s].sum, sum);
  }
}

class ScorePathTest : public testing::TestWithParam<std::string> {};

TEST_P(ScorePathTest, EveryPathBatchAndChunkGivesTheSameBits) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  std::vector<Ids> texts = Texts();
  std::vector<SequenceScore> expected = *Score(*model, texts, {});
  const ScoreOptions settings[] = {
      {.batch_tokens = 1},
      {.batch_tokens = 100},
      {.path = ScorePath::kCached},
      {.path = ScorePath::kCached, .chunk = 7},
      {.path = ScorePath::kEngine},
      {.path = ScorePath::kEngine, .batch_size = 3, .chunk = 10},
      {.path = ScorePath::kEngine, .batch_size = 1},
  };
  for (const ScoreOptions& options : settings) {
    std::vector<Tensor> rows;
    for (const Ids& ids : texts) rows.push_back(Poisoned({static_cast<int64_t>(ids.size()), 97}));
    std::vector<SequenceScore> scores =
        *Score(*model, texts, options, [&](int64_t s, int64_t first, const Tensor& logits) {
          Tensor to = rows[static_cast<size_t>(s)].Slice(0, first, first + logits.dim(0));
          to.CopyFrom(logits);
        });
    for (size_t s = 0; s < texts.size(); ++s) {
      EXPECT_EQ(scores[s].sum, expected[s].sum) << s;
      for (size_t t = 1; t < texts[s].size(); ++t)
        ASSERT_EQ(scores[s].logprobs[t], expected[s].logprobs[t]) << s << " " << t;
      EXPECT_TRUE(SameBits(rows[s], TrainLogits(*model, texts[s]))) << s;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Models, ScorePathTest, testing::Values("gpt2", "llama"),
                         [](const auto& info) { return info.param; });

TEST(ScoreTest, RefusesBadSequencesByNumber) {
  std::unique_ptr<LanguageModel> model = SmallModel("gpt2");
  auto error = [&](std::vector<Ids> texts) { return std::string(Score(*model, texts, {}).status().message()); };
  EXPECT_NE(error({{1}, {}}).find("sequence 1 is empty"), std::string::npos);
  EXPECT_NE(error({{1, 2, 97}}).find("token 97 at index 2"), std::string::npos);
  EXPECT_NE(error({{1, -5}}).find("token -5 at index 1"), std::string::npos);
  EXPECT_NE(error({Ids(257, 1)}).find("257 tokens"), std::string::npos);
  EXPECT_FALSE(Score(*model, std::vector<Ids>{{1}}, {.chunk = 0}).ok());
  EXPECT_TRUE(Score(*model, std::vector<Ids>{}, {}).ok());
  EXPECT_TRUE(Score(*model, std::vector<Ids>{}, {.path = ScorePath::kEngine}).ok());
  EXPECT_TRUE(Score(*model, std::vector<Ids>{Ids(256, 1)}, {.path = ScorePath::kCached}).ok());
}

// What eval's mode "token" asks for, to the bit.
TEST(ScoreTest, LongSequencesAreReadInWindows) {
  std::unique_ptr<LanguageModel> model = SmallModel("llama");
  constexpr int64_t kWindow = 70, kWindows = 5;
  const std::vector<Ids> texts = {RandomIds(kWindow * kWindows + 1, 97, 1), {3}, RandomIds(kWindow + 1, 97, 2)};
  const Ids& ids = texts[0];
  Tensor x = Tensor::Of(Ids(ids.begin(), ids.end() - 1), {kWindow * kWindows});
  Tensor y = Tensor::Of(Ids(ids.begin() + 1, ids.end()), {kWindow * kWindows});
  const LossSum expected = EvaluateWindows(*model, x, y, kWindow, 2);
  for (ScorePath path : {ScorePath::kTrain, ScorePath::kCached, ScorePath::kEngine}) {
    std::vector<int> rows(ids.size(), 0);
    const auto scores = Score(*model, texts, {.path = path, .batch_tokens = 150, .chunk = 9, .window = kWindow},
                              [&](int64_t sequence, int64_t first, const Tensor& logits) {
                                for (int64_t i = 0; sequence == 0 && i < logits.dim(0); ++i) {
                                  ++rows[static_cast<size_t>(first + i)];
                                }
                              });
    ASSERT_TRUE(scores.ok()) << scores.status();
    EXPECT_EQ(-(*scores)[0].sum, expected.nats);
    EXPECT_TRUE(std::isnan((*scores)[0].logprobs[0]));
    EXPECT_EQ(rows, std::vector<int>(ids.size(), 1));
    EXPECT_EQ((*scores)[1].logprobs.size(), 1u);
    EXPECT_LT((*scores)[2].logprobs[kWindow], 0);
  }
  EXPECT_EQ(Score(*model, texts, {.window = 257}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(EvaluateWindowsTest, SumsInOrderWhateverTheBatch) {
  std::unique_ptr<LanguageModel> model = SmallModel("llama");
  constexpr int64_t kBlock = 70, kWindows = 5;
  Ids inputs = RandomIds(kBlock * kWindows, 97, 1), targets = RandomIds(kBlock * kWindows, 97, 2);
  targets[3] = targets[200] = kIgnoreTarget;
  Tensor x = Tensor::Of(inputs, {kBlock * kWindows}), y = Tensor::Of(targets, {kBlock * kWindows});
  LossSum expected = EvaluateWindows(*model, x, y, kBlock, 1);
  EXPECT_EQ(expected.tokens, kBlock * kWindows - 2);
  for (int64_t batch : {2, 3, 5, 100}) {
    LossSum sum = EvaluateWindows(*model, x, y, kBlock, batch);
    EXPECT_EQ(sum.nats, expected.nats) << batch;
    EXPECT_EQ(sum.tokens, expected.tokens);
  }
  double nats = 0;
  for (int64_t w = 0; w < kWindows; ++w) {
    Tensor logits = TrainLogits(*model, Ids(inputs.begin() + w * kBlock, inputs.begin() + (w + 1) * kBlock));
    for (int64_t t = 0; t < kBlock; ++t) {
      int32_t target = targets[static_cast<size_t>(w * kBlock + t)];
      if (target != kIgnoreTarget) nats -= LogProbability(logits, t, target);
    }
  }
  EXPECT_NEAR(expected.nats, nats, 1e-3);
}

}  // namespace
}  // namespace quern
