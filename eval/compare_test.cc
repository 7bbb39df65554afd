#include "eval/compare.h"

#include <cmath>

#include "base/file.h"
#include "base/lineage.h"
#include "eval/text_report.h"
#include "eval/units.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Bits per byte of 100 parts of a text, about 2, much more different from part to part than from run to run.
std::vector<double> Units(double shift, double noise) {
  std::vector<double> units;
  for (int i = 0; i < 100; ++i) units.push_back(2 + std::sin(i * 1.7) + shift + noise * std::cos(i * 5.3));
  return units;
}

TEST(PairedTest, FindsASmallShiftUnderLargeVariation) {
  const PairedTest test = ComparePaired(Units(0, 0), Units(0.02, 0.03), 0.95, 0);
  EXPECT_NEAR(test.difference, 0.02, 0.001);
  EXPECT_GT(test.low, 0.01);
  EXPECT_LT(test.high, 0.03);
  EXPECT_LT(test.low, test.difference);
  EXPECT_LT(test.difference, test.high);
  EXPECT_LT(test.p, 0.001);
  // 2.80 standard errors of noise whose standard deviation is 0.03 / sqrt(2).
  EXPECT_NEAR(test.detectable, 2.8 * 0.03 / std::sqrt(2.0) / 10, 3e-4);
}

TEST(PairedTest, IsSymmetricAndRepeats) {
  const PairedTest forth = ComparePaired(Units(0, 0), Units(0.004, 0.03), 0.9, 7);
  const PairedTest back = ComparePaired(Units(0.004, 0.03), Units(0, 0), 0.9, 7);
  EXPECT_EQ(forth.difference, -back.difference);
  EXPECT_EQ(forth.p, back.p);
  EXPECT_NEAR(forth.low, -back.high, 1e-3);
  const PairedTest again = ComparePaired(Units(0, 0), Units(0.004, 0.03), 0.9, 7);
  EXPECT_EQ(again.low, forth.low);
  EXPECT_EQ(again.p, forth.p);
}

TEST(PairedTest, IsExactWhereCountingByHandIs) {
  // Three differences of one sign: 2 of the 8 choices of signs are as far from 0.
  const std::vector<double> zero(3, 0.0), up = {1, 2, 4};
  EXPECT_NEAR(ComparePaired(zero, up, 0.95, 0).p, 0.25, 0.015);
  // 1, 2 and -3 have the mean 0: every choice is.
  const std::vector<double> level = {1, 2, -3};
  EXPECT_EQ(ComparePaired(zero, level, 0.95, 0).p, 1);
  // Nothing differs.
  const PairedTest same = ComparePaired(up, up, 0.95, 0);
  EXPECT_EQ(same.p, 1);
  EXPECT_EQ(same.low, 0);
  EXPECT_EQ(same.high, 0);
  const std::vector<double> one = {1.0}, other = {5.0};
  EXPECT_EQ(ComparePaired(one, other, 0.95, 0).p, 1) << "one pair says nothing";
}

TEST(PairedTest, FalseAlarmsAreAsRareAsPromised) {
  int alarms = 0;
  for (uint64_t trial = 0; trial < 200; ++trial) {
    std::vector<double> a, b;
    for (int i = 0; i < 40; ++i) {
      a.push_back(0);
      b.push_back(std::sin(static_cast<double>(trial * 1000 + i) * 12.9898) * 43758.5453);
      b.back() -= std::floor(b.back()) + 0.5;  // uniform in [-1/2, 1/2)
    }
    alarms += ComparePaired(a, b, 0.95, 1).p < 0.05 ? 1 : 0;
  }
  EXPECT_GE(alarms, 2);
  EXPECT_LE(alarms, 20);  // 10 expected, three standard deviations about
}

TEST(PairedTest, HolmsAdjustment) {
  // By hand: 0.01 * 4, 0.02 * 3, 0.03 * 2, then 0.005's neighbours never below what came before.
  EXPECT_THAT(HolmAdjusted({0.02, 0.01, 0.03, 0.5}), ElementsAre(DoubleNear(0.06, 1e-12), DoubleNear(0.04, 1e-12),
                                                                 DoubleNear(0.06, 1e-12), DoubleNear(0.5, 1e-12)));
  EXPECT_THAT(HolmAdjusted({0.9, 0.8}), ElementsAre(1.0, 1.0));
  EXPECT_TRUE(HolmAdjusted({}).empty());
}

TEST(UnitsTest, KeepTheMean) {
  std::vector<double> values;
  for (int i = 0; i < 1000; ++i) values.push_back(i % 7);
  const std::vector<double> units = UnitMeans(values);
  EXPECT_EQ(units.size(), static_cast<size_t>(kMostUnits));
  double sum = 0, mean = 0;
  for (double value : values) sum += value / 1000;
  for (double unit : units) mean += unit / static_cast<double>(units.size());
  EXPECT_NEAR(mean, sum, 1e-12);
  EXPECT_EQ(UnitMeans({3, 4}), (std::vector<double>{3, 4}));
  EXPECT_TRUE(UnitMeans({}).empty());
}

class CompareTest : public ::testing::Test {
 protected:
  std::string Report(const std::string& name, const std::vector<double>& units, const std::string& test_digest = "t") {
    Json report = NewArtefact("eval");
    double mean = 0;
    for (double unit : units) mean += unit / static_cast<double>(units.size());
    report["metrics"] = {{"bits_per_byte", mean}, {"loss", 2 * mean}, {"speed", {{"decode_tokens_per_second", 100}}}};
    report["units"] = {{"bits_per_byte", units}};
    report["inputs"] = {{"test", {{"sha256", test_digest}}}};
    return Put(name, report);
  }
  std::string Put(const std::string& name, const Json& report) {
    const std::string run = testing::TempDir() + "/" + name;
    EXPECT_TRUE(MakeFolders(run + "/quern").ok());
    EXPECT_TRUE(WriteFileAtomic(run + "/quern/eval.json", WriteJson(report)).ok());
    return run;
  }
  static CompareVerdict Verdict(const std::vector<std::string>& runs) {
    return CompareRuns({.runs = runs})->rows[0].verdict;
  }
};

TEST_F(CompareTest, TellsBetterWorseAndNeither) {
  const std::string base = Report("base", Units(0, 0)), worse = Report("worse", Units(0.02, 0.03)),
                    better = Report("better", Units(-0.02, 0.03)), same = Report("same", Units(0.001, 0.03));
  EXPECT_EQ(Verdict({base, worse}), CompareVerdict::kWorse);
  EXPECT_EQ(Verdict({base, better}), CompareVerdict::kBetter);
  EXPECT_EQ(Verdict({base, same}), CompareVerdict::kSame);
  EXPECT_EQ(Verdict({base, base}), CompareVerdict::kSame);
  const Comparison all = CompareRuns({.runs = {base, worse, better, same + "/quern/eval.json"}}).value();
  EXPECT_EQ(all.Count(CompareVerdict::kWorse), 1);
  EXPECT_EQ(all.Count(CompareVerdict::kBetter), 1);
  for (const CompareRow& row : all.rows) {
    if (row.test.has_value()) {
      EXPECT_GE(row.p_adjusted, row.test->p);
    }
  }
  const std::string text = FormatComparison(all);
  EXPECT_THAT(text, HasSubstr("bits_per_byte"));
  EXPECT_THAT(text, HasSubstr("1 worse, 1 better, 1 without a significant difference\n"));
  const Json json = ComparisonToJson(all);
  EXPECT_EQ(json["worse"], 1);
  EXPECT_EQ(json["rows"][0]["verdict"], "worse");
  EXPECT_EQ(json["rows"][0]["interval"].size(), 2u);
  EXPECT_EQ(json["rows"][1]["interval"], Json()) << "loss has no parts";
}

TEST_F(CompareTest, TestsOnlyWhatWasMeasuredAlike) {
  const std::string base = Report("base2", Units(0, 0)), other = Report("other", Units(1, 0), "another");
  const Comparison comparison = CompareRuns({.runs = {base, other}}).value();
  EXPECT_EQ(comparison.rows[0].verdict, CompareVerdict::kNotTested);
  EXPECT_THAT(comparison.rows[0].why_not, HasSubstr("different test files"));
  EXPECT_THAT(FormatComparison(comparison), HasSubstr("not tested: measured on different test files"));
  Json old = ReadJsonFile(base + "/quern/eval.json").value();
  old.erase("units");
  EXPECT_THAT(CompareRuns({.runs = {base, Put("old", old)}})->rows[0].why_not, HasSubstr("run quern eval again"));
  old["units"] = {{"bits_per_byte", Json::array({1, nullptr})}};
  EXPECT_THAT(CompareRuns({.runs = {base, Put("null", old)}})->rows[0].why_not, HasSubstr("run quern eval again"));
}

TEST_F(CompareTest, RougeIsBetterWhenHigher) {
  Json low = NewArtefact("eval"), high = low;
  for (Json* report : {&low, &high}) {
    (*report)["inputs"] = {{"references", {{"sha256", "r"}}}};
    const double score = report == &low ? 0.2 : 0.4;
    (*report)["metrics"] = {{"rougeL", {{"fmeasure", score}, {"recall", score}}}};
    (*report)["units"] = {{"rougeL", std::vector<double>(30, score)}};
  }
  const std::string a = Put("low", low), b = Put("high", high);
  EXPECT_EQ(Verdict({a, b}), CompareVerdict::kBetter);
  EXPECT_EQ(Verdict({b, a}), CompareVerdict::kWorse);
}

TEST_F(CompareTest, SaysWhatIsMissing) {
  const std::string base = Report("base3", Units(0, 0));
  const absl::Status none = CompareRuns({.runs = {base, testing::TempDir()}}).status();
  EXPECT_TRUE(absl::IsNotFound(none)) << none;
  EXPECT_THAT(none.message(), HasSubstr("quern eval --model_name"));
  EXPECT_THAT(CompareRuns({.runs = {base, Put("empty", NewArtefact("eval"))}}).status().message(),
              HasSubstr("no metric in common"));
  EXPECT_TRUE(absl::IsInvalidArgument(CompareRuns({.runs = {base, Put("run", NewArtefact("run"))}}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(CompareRuns({.runs = {base}}).status()));
}

}  // namespace
}  // namespace quern
