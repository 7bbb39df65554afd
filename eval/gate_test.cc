#include "eval/gate.h"

#include "base/file.h"
#include "base/lineage.h"
#include "base/testing.h"
#include "eval/report.h"
#include "eval/text_report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPolicy[] = "check { metric: 'loss' max: 6.0 }\ncheck { metric: 'bits_per_byte' max: 4.5 }\n";

// A folder with the files of a model; the gate looks at their bytes alone.
class GateTest : public FolderTest {
 protected:
  void SetUp() override {
    Write("m/model.safetensors", "weights");
    Write("m/config.json", "{\"model_type\": \"gpt2\", \"n_positions\": 256}\n");
    Write("m/tokenizer.json", "{}\n");
    Write("test.txt", "text\n");
    Write("policy.txtpb", kPolicy);
    PutReport({{"loss", 4.5}, {"bits_per_byte", 3.0}});
  }

  void PutReport(const Json& metrics) {
    Json report = NewArtefact("eval");
    report["metrics"] = metrics;
    report["inputs"] = DescribeModel(Path("m"), Path("m/quern")).value();
    report["inputs"]["test"] = DescribeFile(Path("test.txt"), Path("m/quern")).value();
    Write("m/quern/eval.json", WriteJson(report));
  }

  absl::StatusOr<GateResult> Gate(const std::string& report = "") {
    return RunGate({.model_name = Path("m"), .policy = Path("policy.txtpb"), .report = report});
  }
  // Runs the gate on a policy and expects a verdict that fails, and says so wherever it is asked.
  void ExpectFailed(const std::string& policy) {
    Write("policy.txtpb", policy);
    const GateResult result = Gate().value();
    EXPECT_FALSE(result.passed) << policy;
    const Verdict verdict = ReadVerdict(Path("m"));
    EXPECT_TRUE(verdict.present);
    EXPECT_FALSE(verdict.passed);
    EXPECT_EQ(verdict.problem, "");
    EXPECT_FALSE(verdict.failed.empty());
    EXPECT_THAT(Read("m/README.md"), HasSubstr("## Verdict: FAILED"));
  }
};

TEST_F(GateTest, PassesAndServeWouldObey) {
  const GateResult result = Gate().value();
  EXPECT_TRUE(result.passed);
  const Json verdict = ReadJsonFile(Path("m/quern/verdict.json")).value();
  EXPECT_EQ(verdict["predicate"]["result"], "PASSED");
  EXPECT_EQ(verdict["predicate"]["passedTests"], Json({"loss", "bits_per_byte"}));
  EXPECT_EQ(verdict["predicate"]["failedTests"], Json::array());
  EXPECT_TRUE(ReadVerdict(Path("m")).passed);
  EXPECT_THAT(Read("m/README.md"), HasSubstr("## Verdict: PASSED"));
  const Json walked = LineageToJson(WalkLineage(Path("m")).value());
  EXPECT_EQ(walked["ok"], true) << walked;
}

TEST_F(GateTest, EachThresholdCanFail) {
  ExpectFailed("check { metric: 'loss' max: 4.4 } check { metric: 'bits_per_byte' max: 4.5 }");
  EXPECT_THAT(ReadVerdict(Path("m")).failed, ElementsAre("loss"));
  ExpectFailed("check { metric: 'loss' max: 6 } check { metric: 'bits_per_byte' min: 3.5 }");
  EXPECT_THAT(ReadVerdict(Path("m")).failed, ElementsAre("bits_per_byte"));
}

TEST_F(GateTest, WhatCannotBeJudgedFails) {
  ASSERT_TRUE(Gate().value().passed);  // an earlier PASSED does not survive
  ExpectFailed("");
  ExpectFailed("check { metric: 'loss' }");
  ExpectFailed("check { max: 6 }");
  ExpectFailed("check { metric: 'loss' max: 6 } check { metric: 'rougeL.fmeasure' min: 0 }");
  PutReport({{"loss", nullptr}, {"bits_per_byte", 3.0}});
  ExpectFailed(kPolicy);
}

TEST_F(GateTest, ANanInAReportFails) {
  std::string report = Read("m/quern/eval.json");
  report.replace(report.find("4.5"), 3, "NaN");
  Write("m/quern/eval.json", report);
  ExpectFailed(kPolicy);
}

TEST_F(GateTest, AReportOnOtherWeightsFails) {
  ASSERT_TRUE(Gate().value().passed);
  Write("m/model.safetensors", "other weights");
  ExpectFailed(kPolicy);
  EXPECT_THAT(ReadVerdict(Path("m")).failed, ElementsAre("report"));
}

TEST_F(GateTest, ARefusedInputLeavesTheVerdictAlone) {
  ASSERT_TRUE(Gate().value().passed);
  const std::string before = Read("m/quern/verdict.json"), card = Read("m/README.md");
  Write("policy.txtpb", "check { metrik: 'loss' max: 6 }");
  const absl::Status misspelt = Gate().status();
  EXPECT_TRUE(absl::IsInvalidArgument(misspelt));
  EXPECT_THAT(misspelt.message(),
              HasSubstr("policy.txtpb:1:9: there is no field \"metrik\". Did you mean \"metric\"?"));
  Write("policy.txtpb", kPolicy);
  Write("bad.json", "{\"metrics\": ");
  EXPECT_TRUE(absl::IsInvalidArgument(Gate(Path("bad.json")).status()));
  Write("bad.json", "[1]");
  EXPECT_THAT(Gate(Path("bad.json")).status().message(), HasSubstr("no object \"metrics\""));
  EXPECT_TRUE(absl::IsNotFound(Gate(Path("none.json")).status()));
  EXPECT_TRUE(absl::IsNotFound(RunGate({.model_name = Path("none"), .policy = Path("policy.txtpb")}).status()));
  EXPECT_TRUE(absl::IsNotFound(RunGate({.model_name = Path("m"), .policy = Path("none")}).status()));
  EXPECT_EQ(Read("m/quern/verdict.json"), before);
  EXPECT_EQ(Read("m/README.md"), card);
  ASSERT_TRUE(RemoveAll(Path("m/quern/eval.json")).ok());
  EXPECT_THAT(Gate().status().message(), HasSubstr("run quern eval first"));
}

TEST_F(GateTest, TheSameRecordsGiveTheSameBytes) {
  ASSERT_TRUE(Gate().ok());
  const std::string verdict = Read("m/quern/verdict.json"), card = Read("m/README.md");
  ASSERT_TRUE(Gate().ok());
  EXPECT_EQ(Read("m/quern/verdict.json"), verdict);
  EXPECT_EQ(Read("m/README.md"), card);
  EXPECT_FALSE(FileExists(Path("m/README.original.md")));
}

TEST_F(GateTest, IsPrinted) {
  Write("policy.txtpb", "check { metric: 'loss' min: 1 max: 6 } check { metric: 'bits_per_byte' max: 2.5 }");
  const GateResult result = Gate().value();
  EXPECT_EQ(FormatGate(result),
            "test           value  threshold    result\n"
            "loss           4.5    1.0 to 6.0   PASSED\n"
            "bits_per_byte  3      at most 2.5  FAILED: 3.0 is above the most allowed, 2.5\n"
            "FAILED: 1 of 2 tests did not pass\n");
  const Json json = GateToJson(result);
  EXPECT_EQ(json["result"], "FAILED");
  EXPECT_EQ(json["tests"][0]["passed"], true);
  EXPECT_EQ(json["tests"][1]["min"], nullptr);
  EXPECT_EQ(json["tests"][1]["max"], 2.5);
}

TEST_F(GateTest, TheChainIsPrinted) {
  ASSERT_TRUE(Gate().ok());
  EXPECT_THAT(FormatLineage(WalkLineage(Path("m")).value()), HasSubstr("links hold\n"));
  Write("test.txt", "tampered\n");
  const std::vector<LineageLink> links = WalkLineage(Path("m")).value();
  EXPECT_THAT(FormatLineage(links), HasSubstr("BROKEN: changed"));
  const Json json = LineageToJson(links);
  EXPECT_EQ(json["ok"], false);
  ASSERT_EQ(json["broken"].size(), 1u);
  EXPECT_THAT(json["broken"][0]["file"].get<std::string>(), HasSubstr("test.txt"));
  EXPECT_EQ(LineageToJson({})["ok"], false);
}

TEST_F(GateTest, ShardsAreWeights) {
  ASSERT_TRUE(RemoveAll(Path("m/model.safetensors")).ok());
  Write("m/model.safetensors.index.json", R"({"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}})");
  Write("m/model-1.safetensors", "one");
  Write("m/model-2.safetensors", "two");
  PutReport({{"loss", 4.5}, {"bits_per_byte", 3.0}});
  const Json inputs = ReadJsonFile(Path("m/quern/eval.json")).value()["inputs"];
  EXPECT_EQ(inputs["model"]["path"], "../model.safetensors.index.json");
  EXPECT_EQ(inputs["shards"].size(), 2u);
  EXPECT_TRUE(Gate().value().passed);
  Write("m/model-2.safetensors", "three");
  ExpectFailed(kPolicy);
}

TEST(NullForNanTest, LeavesStringsAlone) {
  EXPECT_EQ(NullForNan("{\"NaN\": NaN, \"x\": [-Infinity, Infinity, \"\\\"NaN\"]}"),
            "{\"NaN\": null, \"x\": [null, null, \"\\\"NaN\"]}");
  EXPECT_EQ(NullForNan("\"\\"), "\"\\");
  EXPECT_EQ(NullForNan(""), "");
}

}  // namespace
}  // namespace quern
