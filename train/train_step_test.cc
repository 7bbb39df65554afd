#include "train/train_step.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"
#include "nn/testing.h"
#include "train/schedule.h"

namespace quern {
namespace {

constexpr int64_t kBlock = 16;

TokenBatch RandomBatch(const LanguageModel& model, int64_t sequences, uint64_t seed) {
  std::vector<int32_t> ids = RandomIds(sequences * kBlock + 1, model.vocab_size(), seed);
  std::span<const int32_t> all = ids;
  const size_t n = ids.size() - 1;
  return {Tensor::Of(all.first(n), {sequences * kBlock}), Tensor::Of(all.last(n), {sequences * kBlock})};
}

// The two micro-batches as one.
TokenBatch Joined(const TokenBatch& a, const TokenBatch& b) {
  auto join = [](const Tensor& x, const Tensor& y) {
    std::vector<int32_t> ids = x.ToVector<int32_t>(), more = y.ToVector<int32_t>();
    ids.insert(ids.end(), more.begin(), more.end());
    return Tensor::Of(ids, {static_cast<int64_t>(ids.size())});
  };
  return {join(a.inputs, b.inputs), join(a.targets, b.targets)};
}

TrainStepOptions SmallOptions() {
  TrainStepOptions options;
  options.block = kBlock;
  return options;
}

std::map<std::string, std::vector<float>> Weights(LanguageModel& model) {
  std::map<std::string, std::vector<float>> weights;
  model.Visit([&](std::string_view name, Var& p) { weights[std::string(name)] = p.value().ToVector<float>(); });
  return weights;
}

TEST(Schedule, WarmsUpAndFalls) {
  Schedule s = {ScheduleKind::kCosine, 1e-3, 1e-4, 100, 2000};
  EXPECT_DOUBLE_EQ(s.LearningRate(1), 1e-3 / 101);
  EXPECT_DOUBLE_EQ(s.LearningRate(100), 1e-3 * 100 / 101);
  EXPECT_DOUBLE_EQ(s.LearningRate(101), 1e-3);
  EXPECT_NEAR(s.LearningRate(101 + 1899 / 2), (1e-3 + 1e-4) / 2, 1e-6);
  EXPECT_DOUBLE_EQ(s.LearningRate(2000), 1e-4);
  for (int64_t step = 102; step <= 2000; ++step) EXPECT_LT(s.LearningRate(step), s.LearningRate(step - 1));
  s.kind = ScheduleKind::kLinear;
  EXPECT_NEAR(s.LearningRate(101 + 949), 1e-3 - 9e-4 * 949 / 1899, 1e-12);
  EXPECT_DOUBLE_EQ(s.LearningRate(2000), 1e-4);
  s.kind = ScheduleKind::kConstant;
  EXPECT_DOUBLE_EQ(s.LearningRate(2000), 1e-3);
}

TEST(Schedule, ShortRunsHaveNoHoles) {
  for (int64_t total : {1, 2, 3, 7}) {
    for (int64_t warmup = 0; warmup <= total + 1; ++warmup) {
      Schedule s = {ScheduleKind::kCosine, 1e-3, 1e-4, warmup, total};
      for (int64_t step = 1; step <= total; ++step) {
        EXPECT_GT(s.LearningRate(step), 0);
        EXPECT_LE(s.LearningRate(step), 1e-3);
      }
    }
  }
}

TEST(Schedule, CosPiIsCos) {
  for (int i = 0; i <= 1000; ++i) {
    EXPECT_NEAR(CosPi(i / 1000.0), std::cos(M_PI * (i / 1000.0)), 1e-15) << i;
  }
  EXPECT_EQ(CosPi(0), 1);
  EXPECT_EQ(CosPi(1), -1);
}

TEST(Schedule, UnknownNameSuggests) {
  EXPECT_NE(std::string(ParseScheduleKind("cosin").status().message()).find("\"cosine\""), std::string::npos);
}

TEST(ParameterArena, MatricesDecayTheRestDoesNot) {
  for (const NamedConfig& named : SmallConfigs()) {
    SCOPED_TRACE(named.name);
    auto model = SmallModel(named.name);
    auto before = Weights(*model);
    ParameterArena arena(*model);
    EXPECT_EQ(Weights(*model), before);
    int64_t elements = 0;
    for (const ArenaEntry& entry : arena.entries()) {
      const bool matrix = entry.parameter.shape().rank() >= 2;
      EXPECT_EQ(entry.offset < arena.decaying(), matrix) << entry.name;
      const bool gain_or_bias = entry.name.find("norm") != std::string::npos ||
                                entry.name.find("ln_") != std::string::npos || entry.name.ends_with(".bias");
      EXPECT_EQ(matrix, !gain_or_bias) << entry.name;
      EXPECT_EQ(entry.offset % 16, 0);
      elements += entry.parameter.value().elements();
    }
    EXPECT_EQ(elements, model->CountParameters());
  }
}

// AdamW as in the paper, in f64, from the gradients that the step computed.
TEST(TrainStep, IsAdamWInPlainArithmetic) {
  for (const char* name : {"gpt2", "llama"}) {
    SCOPED_TRACE(name);
    auto model = SmallModel(name);
    TrainStepOptions options = SmallOptions();
    options.max_grad_norm = 0.5;
    TrainStep step(*model, options);
    std::map<std::string, std::vector<double>> w, m, v;
    for (const auto& [key, values] : Weights(*model)) {
      w[key].assign(values.begin(), values.end());
      m[key].resize(values.size());
      v[key].resize(values.size());
    }
    for (int t = 1; t <= 5; ++t) {
      const double lr = 1e-3 * t;
      StepResult result = step.Run(std::vector<TokenBatch>{RandomBatch(*model, 2, 40 + t)}, lr);
      ASSERT_FALSE(result.diverged);
      double squares = 0;
      for (float g : step.gradient().ToVector<float>()) squares += double{g} * g;
      EXPECT_NEAR(result.grad_norm, std::sqrt(squares), 1e-5 * result.grad_norm);
      const double clip = std::min(1.0, options.max_grad_norm / result.grad_norm);
      EXPECT_LT(clip, 1) << "the test wants clipping to happen";
      for (const ArenaEntry& entry : step.arena().entries()) {
        std::vector<float> g = ParameterArena::Part(step.gradient(), entry).ToVector<float>();
        const double decay = entry.parameter.shape().rank() >= 2 ? options.weight_decay : 0;
        for (size_t i = 0; i < g.size(); ++i) {
          double &wi = w[entry.name][i], &mi = m[entry.name][i], &vi = v[entry.name][i];
          mi = options.beta1 * mi + (1 - options.beta1) * clip * g[i];
          vi = options.beta2 * vi + (1 - options.beta2) * clip * g[i] * clip * g[i];
          const double mhat = mi / (1 - std::pow(options.beta1, t)), vhat = vi / (1 - std::pow(options.beta2, t));
          wi -= lr * (decay * wi + mhat / (std::sqrt(vhat) + options.epsilon));
        }
      }
    }
    for (const auto& [key, values] : Weights(*model)) {
      for (size_t i = 0; i < values.size(); ++i) {
        ASSERT_NEAR(values[i], w[key][i], 2e-5 + 1e-4 * std::abs(w[key][i])) << key << " " << i;
      }
    }
  }
}

TEST(TrainStep, LossFallsOnOneBatch) {
  auto model = SmallModel("llama");
  TrainStep step(*model, SmallOptions());
  std::vector<TokenBatch> batch = {RandomBatch(*model, 2, 3)};
  double first = step.Run(batch, 3e-3).loss, last = 0;
  for (int i = 0; i < 60; ++i) last = step.Run(batch, 3e-3).loss;
  EXPECT_LT(last, first / 4);
}

TEST(TrainStep, AccumulationIsTheMeanOverAllTokens) {
  auto one = SmallModel("gpt2"), many = SmallModel("gpt2");
  TrainStep whole(*one, SmallOptions()), parts(*many, SmallOptions());
  std::vector<TokenBatch> micro;
  for (uint64_t i = 0; i < 5; ++i) micro.push_back(RandomBatch(*one, 2, 70 + i));
  TokenBatch all = micro[0];
  for (size_t i = 1; i < micro.size(); ++i) all = Joined(all, micro[i]);
  const double loss = whole.Gradients(std::vector<TokenBatch>{all}), sum = parts.Gradients(micro);
  EXPECT_NEAR(loss, sum, 1e-6 * loss);
  EXPECT_TRUE(AllClose(parts.gradient(), whole.gradient(), 2e-4, 1e-7));
}

// (g0 + g1) + (g2 + g3), whoever computes the parts: ranks that share them out can sum the same way. Divisors are
// powers of two here, so that the parts by themselves are exact multiples.
TEST(TrainStep, MicroBatchesAreSummedInATree) {
  auto model = SmallModel("llama");
  TrainStep step(*model, SmallOptions());
  std::vector<TokenBatch> micro;
  for (uint64_t i = 0; i < 8; ++i) micro.push_back(RandomBatch(*model, 1, 90 + i));
  step.Gradients(micro);
  const std::vector<float> sum = step.gradient().ToVector<float>();
  std::vector<std::vector<float>> g;
  for (const TokenBatch& batch : micro) {
    step.Gradients(std::vector<TokenBatch>{batch});
    g.push_back(step.gradient().ToVector<float>());
  }
  int64_t differs_in_a_row = 0;
  for (size_t i = 0; i < sum.size(); ++i) {
    const float left = (g[0][i] + g[1][i]) + (g[2][i] + g[3][i]), right = (g[4][i] + g[5][i]) + (g[6][i] + g[7][i]);
    ASSERT_EQ(sum[i], (left + right) / 8) << i;
    float row = 0;
    for (const auto& part : g) row += part[i];
    differs_in_a_row += row != left + right;
  }
  EXPECT_GT(differs_in_a_row, 0) << "the test would not see another order";
}

// The plain loops of kReference sum in another order than the vector sets do: close, not equal.
TEST(TrainStep, SameBitsAtAnyThreadCountAndVectorInstructionSet) {
  std::map<std::string, std::vector<float>> first;
  ForEachIsa([&](Isa isa) {
    auto model = SmallModel("gpt2");
    TrainStep step(*model, SmallOptions());
    for (uint64_t t = 0; t < 3; ++t) {
      step.Run(std::vector<TokenBatch>{RandomBatch(*model, 2, t), RandomBatch(*model, 2, 10 + t)}, 1e-3);
    }
    if (isa == Isa::kReference) return;
    auto weights = Weights(*model);
    if (first.empty()) first = weights;
    EXPECT_EQ(weights, first) << Name(isa) << ", threads " << ThreadPool::Current().threads();
  });
}

TEST(TrainStep, WhatIsNoNumberUpdatesNothing) {
  auto model = SmallModel("llama");
  TrainStep step(*model, SmallOptions());
  step.Run(std::vector<TokenBatch>{RandomBatch(*model, 1, 1)}, 1e-3);
  step.arena().weights().mutable_data<float>()[0] = NAN;
  std::vector<float> before = step.arena().weights().ToVector<float>(), m = step.first_moment().ToVector<float>();
  // Row 0 of the table is read.
  TokenBatch batch = RandomBatch(*model, 1, 2);
  batch.inputs.mutable_data<int32_t>()[0] = 0;
  EXPECT_TRUE(step.Run(std::vector<TokenBatch>{batch}, 1e-3).diverged);
  EXPECT_EQ(step.steps(), 1);
  EXPECT_EQ(step.first_moment().ToVector<float>(), m);
  std::vector<float> after = step.arena().weights().ToVector<float>();
  EXPECT_TRUE(std::equal(after.begin() + 1, after.end(), before.begin() + 1));
}

}  // namespace
}  // namespace quern
