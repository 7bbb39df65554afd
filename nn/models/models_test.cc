// Every small model: its parameters, its validity, its gradients, and that it learns.
#include "nn/models/models.h"

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "autograd/functions.h"
#include "gtest/gtest.h"
#include "kernels/adamw/adamw.h"
#include "kernels/testing.h"
#include "nn/models/common_fields.h"
#include "nn/testing.h"
#include "tensor/memory.h"

namespace quern {
namespace {

struct Batch {
  Tensor tokens, targets;
  Sequences sequences;
};

Batch RandomBatch(int64_t count, int64_t length, uint64_t seed) {
  int64_t n = count * length;
  return {Tensor::Of(RandomIds(n, 97, seed), {n}), Tensor::Of(RandomIds(n, 97, seed + 1), {n}),
          Sequences::Equal(count, length)};
}

Var Loss(LanguageModel& model, const Batch& batch, const ForwardOptions& options = {}) {
  return CrossEntropy(model.Forward(batch.tokens, batch.sequences, options), batch.targets,
                      1.0f / static_cast<float>(batch.tokens.dim(0)));
}

class ModelsTest : public testing::TestWithParam<std::string> {
 protected:
  ModelConfig Config() const { return SmallConfig(GetParam()); }
};

TEST_P(ModelsTest, TheFormulaCountsWhatVisitCounts) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  absl::StatusOr<const Architecture*> architecture = ValidArchitecture(model->config());
  ASSERT_TRUE(architecture.ok());
  EXPECT_EQ((*architecture)->parameter_count(model->config()), model->CountParameters());
  std::map<std::string, int> names;
  model->Visit([&](std::string_view name, Var&) { ++names[std::string(name)]; });
  for (const auto& [name, times] : names) EXPECT_EQ(times, 1) << name;
}

TEST_P(ModelsTest, ARunFillsWhatItsConfigLeavesOpen) {
  ModelConfig config = Config();
  EXPECT_EQ(VocabularyOf(config), 97);
  EXPECT_EQ(PositionsOf(config), 256);
  EXPECT_FALSE(PositionsAreOpen(config));
  FillOpenFields({.vocab_size = 5, .positions = 6, .bos_token_id = 3}, &config);
  SetDropout(0.25, &config);
  std::unique_ptr<LanguageModel> model = *MakeModel(config, 1);
  EXPECT_EQ(model->vocab_size(), 97);  // not open
  EXPECT_EQ(model->max_positions(), 256);
  EXPECT_EQ(model->bos_token_id(), 3);
  EXPECT_EQ(model->eos_token_id(), -1);
  Batch batch = RandomBatch(2, 20, 9);
  ForwardOptions training{.training = true};
  NoGrad no_grad;
  EXPECT_FALSE(SameBits(model->Forward(batch.tokens, batch.sequences, training).value(),
                        model->Forward(batch.tokens, batch.sequences, {}).value()));
}

TEST_P(ModelsTest, FlopsCountEachMultipliedWeightOnce) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  int64_t matrices = 0, tables = 0;
  bool own_head = false;
  model->Visit([&](std::string_view name, Var& p) {
    if (p.shape().rank() == 2) matrices += p.value().elements();
    if (name.ends_with("wpe.weight")) tables += p.value().elements();
    if (name == "lm_head.weight") own_head = true;
  });
  if (own_head) tables += model->vocab_size() * 48;  // a tied table multiplies, as the head
  double attention = 12.0 * static_cast<double>(model->layers() * model->heads() * model->head_dim());
  EXPECT_EQ(model->TrainingFlopsPerToken(0), 6.0 * static_cast<double>(matrices - tables));
  EXPECT_EQ(model->TrainingFlopsPerToken(100) - model->TrainingFlopsPerToken(0), 100 * attention);
}

TEST_P(ModelsTest, WeightsAreAFunctionOfTheSeed) {
  std::unique_ptr<LanguageModel> a = SmallModel(GetParam(), 5), b = SmallModel(GetParam(), 5),
                                 c = SmallModel(GetParam(), 6);
  std::map<std::string, Tensor> first;
  a->Visit([&](std::string_view name, Var& p) { first[std::string(name)] = p.value(); });
  b->Visit([&](std::string_view name, Var& p) { EXPECT_TRUE(SameBits(first[std::string(name)], p.value())) << name; });
  c->Visit([&](std::string_view name, Var& p) {
    if (p.shape().rank() == 2) {
      EXPECT_FALSE(SameBits(first[std::string(name)], p.value())) << name;
    }
  });
}

TEST_P(ModelsTest, AFreshModelGuessesEvenly) {
  std::unique_ptr<LanguageModel> model = *MakeModel(WithInitializerRange(Config(), 0), 1);
  float loss = Loss(*model, RandomBatch(4, 64, 1)).value().data<float>()[0];
  EXPECT_NEAR(loss, std::log(97.0f), 0.05f);
}

TEST_P(ModelsTest, GradientsReachEveryParameter) {
  std::unique_ptr<LanguageModel> model = SmallModel(GetParam());
  Backward(Loss(*model, RandomBatch(3, 70, 2)));
  model->Visit([](std::string_view name, Var& p) {
    ASSERT_TRUE(p.grad().defined()) << name;
    ASSERT_EQ(p.grad().shape(), p.shape()) << name;
    double sum = 0;
    for (float g : p.grad().ToVector<float>()) {
      ASSERT_TRUE(std::isfinite(g)) << name;
      sum += std::fabs(g);
    }
    EXPECT_GT(sum, 0) << name;
  });
}

// Gradient checkpointing keeps the input of each block and no more; dropout draws the same numbers again.
TEST_P(ModelsTest, RecomputingBlocksChangesNoBitAndTakesLessMemory) {
  ModelConfig config = Config();
  SetDropout(0.25, &config);
  const Batch batch = RandomBatch(3, 70, 2);
  auto gradients = [&](bool gradient_checkpointing, int64_t* peak) {
    std::unique_ptr<LanguageModel> model = *MakeModel(config, 1);
    ForwardOptions options{.training = true, .seed = 3, .step = 4, .micro_batch = 5};
    options.gradient_checkpointing = gradient_checkpointing;
    ResetPeak();
    Backward(Loss(*model, batch, options));
    *peak = GetMemoryCounters().peak_bytes;
    std::vector<Tensor> all;
    model->Visit([&](std::string_view, Var& p) { all.push_back(p.grad()); });
    return all;
  };
  int64_t peak_kept = 0, peak_recomputed = 0;
  const std::vector<Tensor> kept = gradients(false, &peak_kept), recomputed = gradients(true, &peak_recomputed);
  for (size_t i = 0; i < kept.size(); ++i) EXPECT_TRUE(SameBits(kept[i], recomputed[i])) << i;
  // Models of two and three blocks have little to gain.
  EXPECT_LT(static_cast<double>(peak_recomputed), 0.8 * static_cast<double>(peak_kept));
}

// The whole model against finite differences: along its own gradient the loss changes by |gradient|^2 per unit.
TEST_P(ModelsTest, TheGradientIsTheSlopeOfTheLoss) {
  ModelConfig config = Config();
  std::unique_ptr<LanguageModel> model = *MakeModel(config, 1);
  Batch batch = RandomBatch(2, 33, 3);
  Backward(Loss(*model, batch));
  double squares = 0;
  model->Visit([&](std::string_view, Var& p) {
    for (float g : p.grad().ToVector<float>()) squares += static_cast<double>(g) * g;
  });
  auto loss_at = [&](double step) {
    std::unique_ptr<LanguageModel> moved = *MakeModel(config, 1);
    std::vector<Tensor> grads;
    model->Visit([&](std::string_view, Var& p) { grads.push_back(p.grad()); });
    size_t next = 0;
    moved->Visit([&](std::string_view, Var& p) {
      float* w = p.mutable_value().mutable_data<float>();
      const float* g = grads[next++].data<float>();
      for (int64_t i = 0; i < p.value().elements(); ++i) w[i] += static_cast<float>(step * static_cast<double>(g[i]));
    });
    NoGrad no_grad;
    return static_cast<double>(Loss(*moved, batch).value().data<float>()[0]);
  };
  double h = 3e-3 / std::sqrt(squares), slope = (loss_at(h) - loss_at(-h)) / (2 * h);
  EXPECT_NEAR(slope / squares, 1, 0.01);
}

TEST_P(ModelsTest, LearnsOneBatchByHeart) {
  std::unique_ptr<LanguageModel> model = *MakeModel(WithInitializerRange(Config(), 0.05), 1);
  Batch batch = RandomBatch(4, 16, 4);
  std::vector<Tensor> m, v;
  model->Visit([&](std::string_view, Var& p) {
    m.push_back(Tensor::Zeros(p.shape(), DType::kF32));
    v.push_back(Tensor::Zeros(p.shape(), DType::kF32));
  });
  float loss = 0;
  for (int64_t step = 1; step <= 150 && (step == 1 || loss > 0.01f); ++step) {
    model->Visit([](std::string_view, Var& p) { p.ClearGrad(); });
    Var value = Loss(*model, batch);
    loss = value.value().data<float>()[0];
    Backward(value);
    size_t next = 0;
    model->Visit([&](std::string_view, Var& p) {
      AdamWOptions options{.learning_rate = 1e-2f, .weight_decay = 0, .step = step};
      AdamW(options, p.mutable_value(), p.mutable_value(), m[next], v[next], p.grad());
      ++next;
    });
  }
  EXPECT_LT(loss, 0.05f);
}

INSTANTIATE_TEST_SUITE_P(Small, ModelsTest, testing::ValuesIn(SmallConfigNames()),
                         [](const auto& info) { return info.param; });

std::string ErrorOf(const std::string& config) {
  auto model = MakeModel(ConfigOf(config), 1);
  return model.ok() ? "no error" : std::string(model.status().message());
}

TEST(MakeModelTest, NamesTheFieldThatDoesNotFit) {
  EXPECT_NE(ErrorOf("").find("no architecture"), std::string::npos);
  EXPECT_NE(ErrorOf("gpt2 { n_embd: 10 n_head: 3 }").find("n_head (3) must divide n_embd (10)"), std::string::npos);
  EXPECT_NE(ErrorOf("gpt2 { n_layer: 0 }").find("n_layer is 0"), std::string::npos);
  EXPECT_NE(ErrorOf("gpt2 { n_layer: -1 }").find("n_layer is -1"), std::string::npos);
  EXPECT_NE(ErrorOf("gpt2 { n_head: 0 }").find("n_head is 0"), std::string::npos);
  EXPECT_NE(ErrorOf("gpt2 { vocab_size: 2147483647 }").find("vocab_size"), std::string::npos);
  EXPECT_NE(ErrorOf("gpt2 { activation_function: 'relu' }").find("activation_function"), std::string::npos);
  EXPECT_NE(ErrorOf("gpt2 { resid_pdrop: 1 }").find("resid_pdrop"), std::string::npos);
  EXPECT_NE(ErrorOf("gpt2 { layer_norm_epsilon: nan }").find("layer_norm_epsilon"), std::string::npos);
  EXPECT_NE(ErrorOf("llama { num_attention_heads: 0 }").find("num_attention_heads is 0"), std::string::npos);
  EXPECT_NE(ErrorOf("llama { num_key_value_heads: 3 }").find("num_key_value_heads (3)"), std::string::npos);
  EXPECT_NE(ErrorOf("llama { head_dim: 7 hidden_size: 64 }").find("head_dim (7) must be even"), std::string::npos);
  EXPECT_NE(ErrorOf("llama { model_type: 'gemma' }").find("model_type is \"gemma\""), std::string::npos);
  EXPECT_NE(ErrorOf("llama { model_type: 'qwen2' }").find("attention_bias"), std::string::npos);
  EXPECT_NE(ErrorOf("llama { rope_scaling { rope_type: 'yarn' } }").find("yarn"), std::string::npos);
}

TEST(MakeModelTest, RefusesWhatDoesNotFitInMemory) {
  auto model = MakeModel(ConfigOf("gpt2 { vocab_size: 16000000 n_embd: 131072 n_head: 1024 n_layer: 4096 }"), 1);
  EXPECT_EQ(model.status().code(), absl::StatusCode::kResourceExhausted) << model.status().ToString();
}

TEST(DropoutTest, OnlyInTrainingAndAFunctionOfSeedStepAndMicroBatch) {
  for (const char* config :
       {"gpt2 { vocab_size: 97 n_positions: 64 n_embd: 32 n_head: 2 n_layer: 2 embd_pdrop: 0.1 resid_pdrop: 0.2 }",
        "llama { vocab_size: 97 max_position_embeddings: 64 hidden_size: 32 intermediate_size: 64 num_hidden_layers: 2 "
        "num_attention_heads: 2 dropout: 0.2 }"}) {
    std::unique_ptr<LanguageModel> model = *MakeModel(ConfigOf(config), 1);
    Batch batch = RandomBatch(2, 20, 9);
    NoGrad no_grad;
    auto logits = [&](const ForwardOptions& options) {
      return model->Forward(batch.tokens, batch.sequences, options).value();
    };
    ForwardOptions training{.training = true, .seed = 3, .step = 5, .micro_batch = 1};
    Tensor dropped = logits(training), evaluated = logits({});
    EXPECT_FALSE(SameBits(dropped, evaluated));
    EXPECT_TRUE(SameBits(evaluated, logits({.training = false, .seed = 9, .step = 9})));
    EXPECT_TRUE(SameBits(dropped, logits(training)));
    for (int field = 0; field < 3; ++field) {
      ForwardOptions other = training;
      if (field == 0) ++other.seed;
      if (field == 1) ++other.step;
      if (field == 2) ++other.micro_batch;
      EXPECT_FALSE(SameBits(dropped, logits(other))) << field;
    }
  }
}

TEST(DropoutTest, BackwardDrawsTheSameMasks) {
  ModelConfig config = ConfigOf(
      "gpt2 { vocab_size: 97 n_positions: 64 n_embd: 32 n_head: 2 n_layer: 2 embd_pdrop: 0.3 resid_pdrop: 0.3 "
      "initializer_range: 0.2 }");
  std::unique_ptr<LanguageModel> model = *MakeModel(config, 1);
  Batch batch = RandomBatch(2, 20, 9);
  ForwardOptions training{.training = true, .seed = 3, .step = 5};
  Backward(Loss(*model, batch, training));
  Var bias;
  model->Visit([&](std::string_view name, Var& p) {
    if (name == "transformer.h.0.mlp.c_fc.bias") bias = p;
  });
  // One entry, by finite differences through the masks.
  float* w = bias.mutable_value().mutable_data<float>();
  float kept = w[7], h = 1e-2f;
  NoGrad no_grad;
  w[7] = kept + h;
  double above = Loss(*model, batch, training).value().data<float>()[0];
  w[7] = kept - h;
  double below = Loss(*model, batch, training).value().data<float>()[0];
  EXPECT_NEAR((above - below) / (2 * h), bias.grad().data<float>()[7], 2e-4);
}

}  // namespace
}  // namespace quern
