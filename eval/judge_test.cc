#include "eval/judge.h"

#include "eval/policy_file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::HasSubstr;

Json Model() { return {{"model", {{"sha256", "w"}}}, {"tokenizer", {{"sha256", "t"}}}}; }

Json Report() {
  return {{"metrics",
           {{"loss", 4.0},
            {"perplexity", 54.6},
            {"steps", 7},
            {"broken", nullptr},
            {"name", "x"},
            {"rougeL", {{"precision", 0.5}, {"fmeasure", 0.25}}}}},
          {"counts", {{"tokens", 1000}}},
          {"inputs", {{"model", {{"sha256", "w"}}}}}};
}

std::vector<GateRow> JudgeText(const std::string& policy, const Json& report = Report()) {
  return Judge(ParsePolicy(policy, "policy").value(), report, Model());
}

// The only row's problem; "" when it passed.
std::string Problem(const std::string& policy, const Json& report = Report()) {
  const std::vector<GateRow> rows = JudgeText(policy, report);
  EXPECT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].passed, rows[0].problem.empty());
  return rows[0].problem;
}

TEST(JudgeTest, Max) {
  EXPECT_EQ(Problem("check { metric: 'loss' max: 4.1 }"), "");
  EXPECT_EQ(Problem("check { metric: 'loss' max: 4 }"), "");
  EXPECT_EQ(Problem("check { metric: 'loss' max: 3.9 }"), "4.0 is above the most allowed, 3.9");
}

TEST(JudgeTest, Min) {
  EXPECT_EQ(Problem("check { metric: 'rougeL.fmeasure' min: 0.2 }"), "");
  EXPECT_EQ(Problem("check { metric: 'rougeL.fmeasure' min: 0.25 }"), "");
  EXPECT_EQ(Problem("check { metric: 'rougeL.fmeasure' min: 0.3 }"), "0.25 is below the least allowed, 0.3");
}

TEST(JudgeTest, MinAndMax) {
  EXPECT_EQ(Problem("check { metric: 'loss' min: 3 max: 5 }"), "");
  EXPECT_THAT(Problem("check { metric: 'loss' min: 4.5 max: 5 }"), HasSubstr("below"));
  EXPECT_THAT(Problem("check { metric: 'loss' min: 3 max: 3.5 }"), HasSubstr("above"));
  EXPECT_NE(Problem("check { metric: 'loss' min: 5 max: 3 }"), "");
}

TEST(JudgeTest, Counts) {
  EXPECT_EQ(Problem("check { metric: 'counts.tokens' min: 1000 }"), "");
  EXPECT_NE(Problem("check { metric: 'counts.tokens' min: 1001 }"), "");
  EXPECT_EQ(Problem("check { metric: 'steps' min: 7 }"), "");
}

TEST(JudgeTest, AMetricThatTheReportLacksFails) {
  EXPECT_THAT(Problem("check { metric: 'los' max: 9 }"), HasSubstr("Did you mean \"loss\"?"));
  EXPECT_THAT(Problem("check { metric: 'rougeL.fmeasur' min: 0 }"), HasSubstr("Did you mean \"rougeL.fmeasure\"?"));
  EXPECT_THAT(Problem("check { metric: 'rougeL' min: 0 }"), HasSubstr("name one of rougeL.fmeasure, rougeL.precision"));
  EXPECT_THAT(Problem("check { metric: 'zzzzzz' min: 0 }"), HasSubstr("It has broken, loss"));
  for (const char* metric : {"loss.x", "rougeL.", ".loss", "inputs.model.sha256", "counts", "."}) {
    EXPECT_NE(Problem(std::string("check { metric: '") + metric + "' min: -1e300 }"), "") << metric;
  }
  Json none = Report();
  none["metrics"] = Json::object();
  none["counts"] = Json::object();
  EXPECT_EQ(Problem("check { metric: 'loss' max: 9 }", none), "the report has no metrics");
}

TEST(JudgeTest, WhatIsNoFiniteNumberFails) {
  EXPECT_THAT(Problem("check { metric: 'broken' max: 9 }"), HasSubstr("null"));
  EXPECT_NE(Problem("check { metric: 'name' min: 0 }"), "");
  for (const Json& value : {Json(std::nan("")), Json(HUGE_VAL), Json(true), Json("4"), Json::array({4})}) {
    Json report = Report();
    report["metrics"]["loss"] = value;
    EXPECT_NE(Problem("check { metric: 'loss' min: 0 }", report), "") << value;
  }
}

TEST(JudgeTest, ChecksThatAskForNothingFail) {
  EXPECT_THAT(Problem("check { metric: 'loss' }"), HasSubstr("no threshold"));
  EXPECT_THAT(Problem("check { max: 9 }"), HasSubstr("no metric"));
  EXPECT_THAT(Problem("check { }"), HasSubstr("no metric"));
  EXPECT_THAT(Problem("check { metric: '' max: 9 }"), HasSubstr("no metric"));
  EXPECT_THAT(Problem("check { metric: 'loss' max: inf }"), HasSubstr("not a finite number"));
  EXPECT_THAT(Problem("check { metric: 'loss' max: nan }"), HasSubstr("not a finite number"));
  EXPECT_THAT(Problem(""), HasSubstr("checks nothing"));
  EXPECT_THAT(Problem("# nothing\n"), HasSubstr("checks nothing"));
}

TEST(JudgeTest, AReportOnAnotherModelFails) {
  for (const char* role : {"model", "tokenizer"}) {
    Json report = Report();
    report["inputs"][role] = {{"sha256", "other"}};
    const std::vector<GateRow> rows = JudgeText("check { metric: 'loss' max: 9 }", report);
    ASSERT_EQ(rows.size(), 2u);
    EXPECT_EQ(rows[0].test, "report");
    EXPECT_THAT(rows[0].problem, HasSubstr(std::string("another ") + role));
    EXPECT_TRUE(rows[1].passed);
  }
  for (const Json& inputs : {Json(), Json::object(), Json{{"model", "w"}}, Json{{"model", Json::array()}}}) {
    Json report = Report();
    report["inputs"] = inputs;
    EXPECT_FALSE(JudgeText("check { metric: 'loss' max: 9 }", report)[0].passed) << inputs;
  }
}

TEST(JudgeTest, TestsAreCalledByTheirMetric) {
  const std::vector<GateRow> rows = JudgeText(
      "check { metric: 'loss' max: 9 } check { metric: 'perplexity' max: 9 } check { metric: 'loss' min: 1 } check {}");
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].test, "loss #1");
  EXPECT_EQ(rows[1].test, "perplexity");
  EXPECT_EQ(rows[2].test, "loss #3");
  EXPECT_EQ(rows[3].test, "check #4");
  EXPECT_EQ(rows[1].value, 54.6);
}

TEST(PolicyFileTest, ErrorsNameThePlaceAndTheNearestField) {
  auto error = [](const char* text) { return std::string(ParsePolicy(text, "p.txtpb").status().message()); };
  EXPECT_EQ(error("check {\n  metric: 'loss' maxx: 6 }"),
            "p.txtpb:2:18: there is no field \"maxx\". Did you mean \"max\"?");
  EXPECT_THAT(error("chek { }"), HasSubstr("Did you mean \"check\"?"));
  EXPECT_THAT(error("threshold { }"), HasSubstr("A policy holds check {"));
  EXPECT_THAT(error("check { metric: loss max: 6 }"), HasSubstr("p.txtpb:1:"));
  EXPECT_THAT(error("check { metric: 'loss' max: 6"), HasSubstr("p.txtpb:1:"));
  EXPECT_THAT(error("check { metric: 'loss' max: 6 max: 9 }"), HasSubstr("max"));
  EXPECT_THAT(error("{\"check\": []}"), HasSubstr("p.txtpb:1:1"));
}

}  // namespace
}  // namespace quern
