#include "kernels/cross_entropy/cross_entropy.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor Targets(const std::vector<int32_t>& targets) {
  return Tensor::Of(targets, {static_cast<int64_t>(targets.size())});
}

// Spread over the vocabulary, its first and last member included; every fifth is ignored.
Tensor SomeTargets(int64_t rows, int64_t cols) {
  std::vector<int32_t> targets;
  for (int64_t n = 0; n < rows; ++n)
    targets.push_back(n % 5 == 4 ? kIgnoreTarget : static_cast<int32_t>((cols - 1 + n * 37) % cols));
  return Targets(targets);
}

class CrossEntropySizes : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};
INSTANTIATE_TEST_SUITE_P(Odd, CrossEntropySizes,
                         testing::Values(std::pair{1, 1}, std::pair{6, 7}, std::pair{7, 16}, std::pair{9, 17},
                                         std::pair{768, 65}, std::pair{131, 256}, std::pair{6, 50257},
                                         std::pair{2, 131072}, std::pair{0, 9}));

TEST_P(CrossEntropySizes, EveryInstructionSetAgreesWithTheReference) {
  auto [rows, cols] = GetParam();
  Tensor logits = RandomTensor({rows, cols}, 1, 9.0f), targets = SomeTargets(rows, cols);
  ExpectIsasAgree(
      [&, rows = rows, cols = cols] {
        Guarded memory({rows, cols});
        memory.tensor.CopyFrom(logits);
        Tensor in_place = CrossEntropyInPlace(memory.tensor, targets, 0.25f);
        EXPECT_TRUE(memory.GuardIntact());
        Tensor losses = CrossEntropy(logits, targets), log_probabilities = TargetLogProbabilities(logits, targets);
        EXPECT_TRUE(SameBits(in_place, losses));
        for (int64_t n = 0; n < rows; ++n) EXPECT_EQ(log_probabilities.data<float>()[n], -losses.data<float>()[n]);
        return std::vector<Tensor>{losses, log_probabilities, memory.tensor};
      },
      3e-6, 1e-6);
}

TEST(CrossEntropyTest, KnownValues) {
  // Uniform logits: log V; and -log of 0.7 from logits that are logs of probabilities.
  Tensor uniform = Tensor::Zeros({1, 50}, DType::kF32),
         logs = Tensor::Of({std::log(0.1f), std::log(0.7f), std::log(0.2f)}, {1, 3});
  ForEachIsa([&](Isa) {
    EXPECT_NEAR(CrossEntropy(uniform, Targets({49})).data<float>()[0], std::log(50.0), 1e-6);
    Tensor gradient = logs.Clone();
    EXPECT_NEAR(CrossEntropyInPlace(gradient, Targets({1}), 2.0f).data<float>()[0], -std::log(0.7), 1e-6);
    EXPECT_TRUE(AllClose(gradient, Tensor::Of({0.2f, -0.6f, 0.4f}, {1, 3}), 1e-6, 0));
  });
}

TEST(CrossEntropyTest, GradientsOfARowSumToZero) {
  Tensor logits = RandomTensor({4, 1000}, 2, 5.0f);
  ForEachIsa([&](Isa) {
    Tensor gradient = logits.Clone();
    CrossEntropyInPlace(gradient, Targets({0, 999, 500, 16}), 1.0f);
    for (int64_t n = 0; n < 4; ++n) {
      double sum = 0;
      for (int64_t c = 0; c < 1000; ++c) sum += gradient.data<float>()[n * 1000 + c];
      EXPECT_NEAR(sum, 0.0, 1e-6);
    }
  });
}

TEST(CrossEntropyTest, IgnoredRowsAreZeroWhateverTheyHold) {
  ForEachIsa([&](Isa) {
    Tensor logits = RandomTensor({3, 20}, 3);
    logits.mutable_data<float>()[25] = NAN;
    EXPECT_EQ(CrossEntropy(logits, Targets({0, kIgnoreTarget, 1})).data<float>()[1], 0.0f);
    CrossEntropyInPlace(logits, Targets({0, kIgnoreTarget, 1}), 1.0f);
    for (int64_t c = 0; c < 20; ++c) EXPECT_EQ(logits.data<float>()[20 + c], 0.0f);
    EXPECT_NE(logits.data<float>()[0], 0.0f);
  });
}

TEST(CrossEntropyTest, LargeLogitsMasksAndNan) {
  std::vector<float> rows(4 * 18, -1e4f);
  rows[3] = 1e4f;                                     // certain of 3
  for (int c = 1; c < 18; ++c) rows[18 + c] = -kInf;  // masked but for 0
  rows[2 * 18 + 17] = NAN;
  rows[3 * 18 + 1] = kInf;
  ForEachIsa([&](Isa) {
    Tensor logits = Tensor::Of(rows, {4, 18});
    std::vector<float> losses = CrossEntropyInPlace(logits, Targets({3, 0, 0, 0}), 1.0f).ToVector<float>();
    EXPECT_TRUE(losses[0] == 0 && losses[1] == 0);
    EXPECT_TRUE(std::isnan(losses[2]) && std::isnan(losses[3]));
    for (int c = 0; c < 36; ++c) EXPECT_EQ(logits.data<float>()[c], 0.0f);
    for (int c = 36; c < 54; ++c) EXPECT_TRUE(std::isnan(logits.data<float>()[c]));
    EXPECT_EQ(CrossEntropy(Tensor::Of(rows, {4, 18}), Targets({0, 1, 0, 0})).data<float>()[1], kInf)
        << "a masked target";
  });
}

TEST(CrossEntropyTest, ARowDoesNotDependOnItsNeighbours) {
  Tensor logits = RandomTensor({7, 300}, 4, 5.0f), targets = SomeTargets(7, 300);
  ForEachIsa([&](Isa) {
    Tensor all = logits.Clone(), losses = CrossEntropyInPlace(all, targets, 0.5f);
    for (int64_t n = 0; n < 7; ++n) {
      Tensor row = logits.Slice(0, n, n + 1).Clone();
      EXPECT_TRUE(SameBits(CrossEntropyInPlace(row, targets.Slice(0, n, n + 1), 0.5f), losses.Slice(0, n, n + 1)));
      EXPECT_TRUE(SameBits(row, all.Slice(0, n, n + 1)));
    }
  });
}

TEST(CrossEntropyTest, NamesWhatDoesNotFit) {
  Tensor logits = RandomTensor({2, 8}, 5);
  EXPECT_DEATH(CrossEntropy(logits, Targets({0, 8})), "targets are in \\[0, 8\\) or -100; got targets\\[1\\]=8");
  EXPECT_DEATH(CrossEntropy(logits, Targets({-1, 0})), "got targets\\[0\\]=-1");
  EXPECT_DEATH(CrossEntropy(logits, Targets({0})),
               "targets are i32 \\[N\\]; got targets=i32\\[1\\]@cpu, logits=f32\\[2,8\\]@cpu");
}

}  // namespace
}  // namespace quern
