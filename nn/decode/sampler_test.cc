#include "nn/decode/sampler.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();

// Logits of given probabilities.
std::vector<float> LogitsOf(const std::vector<double>& p) {
  std::vector<float> logits;
  for (double v : p) logits.push_back(static_cast<float>(std::log(v) + 3));
  return logits;
}

std::map<int32_t, int> Draw(const std::vector<float>& logits, const SamplingOptions& options, int draws) {
  std::map<int32_t, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[SampleToken(logits, options, static_cast<uint32_t>(i))];
  return counts;
}

TEST(SamplerTest, GreedyTakesTheLowestOfEqualsAndNeverNan) {
  EXPECT_EQ(SampleToken(std::vector<float>{1, 3, 3, 2}, {}, 0), 1);
  EXPECT_EQ(SampleToken(std::vector<float>{kNan, -2, kNan, -1}, {}, 0), 3);
  EXPECT_EQ(SampleToken(std::vector<float>{kNan, kNan}, {}, 0), 0);
  EXPECT_EQ(SampleToken(std::vector<float>{-kInf, -kInf, -5}, {}, 0), 2);
  EXPECT_EQ(SampleToken(std::vector<float>{0, kInf, 1}, {.temperature = 1}, 0), 1);
}

TEST(SamplerTest, FrequenciesAreTheProbabilities) {
  std::vector<double> p = {0.5, 0.2, 0.15, 0.1, 0.05};
  constexpr int kDraws = 40000;
  std::map<int32_t, int> counts = Draw(LogitsOf(p), {.temperature = 1, .seed = 11}, kDraws);
  double chi_squared = 0;
  for (size_t i = 0; i < p.size(); ++i) {
    double expected = p[i] * kDraws, off = counts[static_cast<int32_t>(i)] - expected;
    chi_squared += off * off / expected;
  }
  EXPECT_LT(chi_squared, 18.5);  // 4 degrees of freedom: 0.999
}

TEST(SamplerTest, TemperatureSharpensAndFlattens) {
  std::vector<double> p = {0.6, 0.3, 0.1};
  constexpr int kDraws = 20000;
  for (float t : {0.5f, 2.0f}) {
    double whole = 0;
    for (double v : p) whole += std::pow(v, 1 / t);
    std::map<int32_t, int> counts = Draw(LogitsOf(p), {.temperature = t, .seed = 4}, kDraws);
    for (size_t i = 0; i < p.size(); ++i) {
      double share = std::pow(p[i], 1 / t) / whole;
      EXPECT_NEAR(counts[static_cast<int32_t>(i)] / double{kDraws}, share, 5 * std::sqrt(share * (1 - share) / kDraws))
          << t << " " << i;
    }
  }
  // So cold that everything else underflows: greedy.
  EXPECT_EQ(Draw(LogitsOf(p), {.temperature = 1e-30f}, 100).size(), 1u);
  EXPECT_EQ(Draw(std::vector<float>{3e38f, -3e38f}, {.temperature = 1e-3f}, 100)[0], 100);
}

std::set<int32_t> Support(const std::vector<double>& p, const SamplingOptions& options) {
  std::set<int32_t> ids;
  for (const auto& [id, count] : Draw(LogitsOf(p), options, 3000)) ids.insert(id);
  return ids;
}

TEST(SamplerTest, TopKAndTopPCutWhereTheySay) {
  std::vector<double> p = {0.05, 0.4, 0.1, 0.25, 0.2};
  EXPECT_EQ(Support(p, {.temperature = 1}), (std::set<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(Support(p, {.temperature = 1, .top_k = 1}), (std::set<int32_t>{1}));
  EXPECT_EQ(Support(p, {.temperature = 1, .top_k = 3}), (std::set<int32_t>{1, 3, 4}));
  EXPECT_EQ(Support(p, {.temperature = 1, .top_k = 99}), (std::set<int32_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(Support(p, {.temperature = 1, .top_p = 0.3f}), (std::set<int32_t>{1}));
  EXPECT_EQ(Support(p, {.temperature = 1, .top_p = 0.64f}), (std::set<int32_t>{1, 3}));
  EXPECT_EQ(Support(p, {.temperature = 1, .top_p = 0.66f}), (std::set<int32_t>{1, 3, 4}));
  // Of what top-k leaves, renormalised: 0.4 / 0.65 = 0.615.
  EXPECT_EQ(Support(p, {.temperature = 1, .top_k = 2, .top_p = 0.61f}), (std::set<int32_t>{1}));
  EXPECT_EQ(Support(p, {.temperature = 1, .top_k = 2, .top_p = 0.62f}), (std::set<int32_t>{1, 3}));
  // Ties go to the lower id.
  EXPECT_EQ(Support({0.25, 0.25, 0.25, 0.25}, {.temperature = 1, .top_k = 2}), (std::set<int32_t>{0, 1}));
  EXPECT_EQ(Support({0.25, 0.25, 0.25, 0.25}, {.temperature = 1, .top_p = 0.5f}), (std::set<int32_t>{0, 1}));
}

TEST(SamplerTest, CutsThatCutNothingChangeNothing) {
  std::vector<float> logits = RandomTensor({1, 3000}, 5, 4.0f).ToVector<float>();
  for (uint32_t i = 0; i < 200; ++i) {
    int32_t plain = SampleToken(logits, {.temperature = 0.9f, .seed = 8}, i);
    EXPECT_EQ(SampleToken(logits, {.temperature = 0.9f, .top_k = 3000, .seed = 8}, i), plain);
  }
}

// Against the plain definition, over a vocabulary in which the order is sorted in several pieces.
TEST(SamplerTest, TopPOfALargeVocabulary) {
  std::vector<float> logits = RandomTensor({1, 5000}, 6, 1.0f).ToVector<float>();
  std::vector<std::pair<double, int32_t>> ranked;
  double whole = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    ranked.push_back({-std::exp(static_cast<double>(logits[i])), static_cast<int32_t>(i)});
    whole -= ranked.back().first;
  }
  std::sort(ranked.begin(), ranked.end());
  std::set<int32_t> kept;
  double sum = 0;
  for (const auto& entry : ranked) {
    kept.insert(entry.second);
    sum -= entry.first;
    if (sum >= 0.5 * whole) break;
  }
  std::set<int32_t> seen;
  for (uint32_t i = 0; i < 4000; ++i) {
    int32_t id = SampleToken(logits, {.temperature = 1, .top_p = 0.5f, .seed = 1}, i);
    EXPECT_TRUE(kept.count(id)) << id;
    seen.insert(id);
  }
  EXPECT_GT(seen.size(), kept.size() / 2);
}

TEST(SamplerTest, ADrawIsAFunctionOfSeedAndIndex) {
  std::vector<float> logits = RandomTensor({1, 1000}, 7, 3.0f).ToVector<float>();
  std::vector<int32_t> expected;
  ForEachIsa([&](Isa isa) {
    if (isa == Isa::kReference) return;  // its softmax may round differently
    std::vector<int32_t> drawn;
    for (uint32_t i = 0; i < 50; ++i)
      drawn.push_back(SampleToken(logits, {.temperature = 0.8f, .top_k = 200, .top_p = 0.9f, .seed = 3}, i));
    if (expected.empty()) expected = drawn;
    EXPECT_EQ(drawn, expected);
  });
  std::vector<int32_t> other;
  for (uint32_t i = 0; i < 50; ++i)
    other.push_back(SampleToken(logits, {.temperature = 0.8f, .top_k = 200, .top_p = 0.9f, .seed = 4}, i));
  EXPECT_NE(other, expected);
}

TEST(ValidateSamplingTest, NamesTheField) {
  EXPECT_TRUE(ValidateSampling({}).ok());
  EXPECT_TRUE(ValidateSampling({.temperature = 100, .top_k = 1, .top_p = 1e-6f}).ok());
  auto names = [](const SamplingOptions& options, const char* field) {
    return std::string(ValidateSampling(options).message()).find(field) != std::string::npos;
  };
  EXPECT_TRUE(names({.temperature = -1}, "temperature"));
  EXPECT_TRUE(names({.temperature = kNan}, "temperature"));
  EXPECT_TRUE(names({.temperature = kInf}, "temperature"));
  EXPECT_TRUE(names({.top_k = -1}, "top_k"));
  EXPECT_TRUE(names({.top_p = 0}, "top_p"));
  EXPECT_TRUE(names({.top_p = 1.1f}, "top_p"));
  EXPECT_TRUE(names({.top_p = kNan}, "top_p"));
}

}  // namespace
}  // namespace quern
