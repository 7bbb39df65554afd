#include "eval/evaluate.h"

#include <cmath>
#include "base/file.h"
#include "base/interrupt.h"
#include "base/lineage.h"
#include "base/sha256.h"
#include "base/testing.h"
#include "data/tokenizer/tokenizer.h"
#include "eval/predict.h"
#include "eval/speed.h"
#include "eval/text_report.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nn/model_folder.h"
#include "nn/testing.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class EvaluateTest : public FolderTest {
 protected:
  void SetUp() override {
    PutModel(/*seed=*/1);
    Write("test.txt", "In the beginning God created\nthe heaven and the earth.\n");
    Write("prompts.txt", "In the\nAnd the\n");
    Write("references.txt", "beginning\nearth was without form");
    Write("predictions.txt", "the beginning\nwithout\n");
  }

  void PutModel(uint64_t seed) {
    const ModelConfig config = ConfigOf(
        "llama { vocab_size: 256 max_position_embeddings: 32 hidden_size: 16 intermediate_size: 24 "
        "num_hidden_layers: 1 num_attention_heads: 2 num_key_value_heads: 1 initializer_range: 0.4 }");
    ASSERT_TRUE(MakeFolders(Path("m")).ok());
    ASSERT_TRUE(SaveModel(*MakeModel(config, seed).value(), Path("m")).ok());
    ASSERT_TRUE(Tokenizer::Bytes().Save(Path("m/tokenizer.json")).ok());
  }

  EvalOptions Options() { return {.model_name = Path("m")}; }
  EvalOptions TextOptions() { return {.model_name = Path("m"), .test_file = Path("test.txt")}; }
  EvalOptions PredictionOptions() {
    return {.predictions_file = Path("predictions.txt"), .references_file = Path("references.txt")};
  }
};

// What `quern compare` tests stands for the metric: the parts' mean is the whole.
TEST_F(EvaluateTest, UnitsHaveTheMetricAsTheirMean) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "And the evening and the morning were day " + std::to_string(i * i) + ".\n";
  Write("long.txt", text);
  const auto mean = [](const Json& units) {
    double sum = 0;
    for (const Json& unit : units) sum += unit.get<double>() / static_cast<double>(units.size());
    return sum;
  };
  for (PerplexityMode mode : {PerplexityMode::kToken, PerplexityMode::kRolling, PerplexityMode::kStrided}) {
    EvalOptions options = {.model_name = Path("m"), .test_file = Path("long.txt"), .mode = mode};
    const Json report = Evaluate(options).value();
    const Json& units = report["units"]["bits_per_byte"];
    EXPECT_GT(units.size(), 10u);
    EXPECT_NE(units[0], units[1]);
    EXPECT_NEAR(mean(units), report["metrics"]["bits_per_byte"].get<double>(), 1e-9);
  }
  const Json report = Evaluate(PredictionOptions()).value();
  for (const char* name : {"rouge1", "rouge2", "rougeL", "rougeLsum"}) {
    EXPECT_EQ(report["units"][name].size(), 2u);
    EXPECT_NEAR(mean(report["units"][name]), report["metrics"][name]["fmeasure"].get<double>(), 1e-12) << name;
  }
}

TEST_F(EvaluateTest, WritesTheReport) {
  const Json report = Evaluate(TextOptions()).value();
  EXPECT_EQ(report, ReadArtefact(Path("m/quern/eval.json"), "eval").value());
  const double nats = -report["sum_logprob"].get<double>();
  const Json& metrics = report["metrics"];
  EXPECT_EQ(report["counts"], (Json{{"tokens", 55}, {"words", 10}, {"bytes", 55}}));
  EXPECT_DOUBLE_EQ(metrics["loss"].get<double>(), nats / 55);
  EXPECT_DOUBLE_EQ(metrics["perplexity"].get<double>(), std::exp(nats / 55));
  EXPECT_DOUBLE_EQ(metrics["word_perplexity"].get<double>(), std::exp(nats / 10));
  EXPECT_DOUBLE_EQ(metrics["byte_perplexity"].get<double>(), std::exp(nats / 55));
  EXPECT_DOUBLE_EQ(metrics["bits_per_byte"].get<double>(), nats / 55 / std::log(2.0));
  EXPECT_EQ(report["settings"]["text"],
            (Json{{"mode", "token"}, {"context", 32}, {"stride", 32}, {"first_token", "uniform"}}));
  const Json& inputs = report["inputs"];
  EXPECT_EQ(inputs["model"]["path"], "../model.safetensors");
  EXPECT_EQ(inputs["model"]["sha256"], Sha256File(Path("m/model.safetensors")).value());
  EXPECT_EQ(inputs["tokenizer"]["sha256"], Sha256File(Path("m/tokenizer.json")).value());
  EXPECT_EQ(inputs["config"]["path"], "../config.json");
  EXPECT_EQ(inputs["test"],
            (Json{{"path", "../../test.txt"}, {"sha256", Sha256File(Path("test.txt")).value()}, {"bytes", 55}}));
}

TEST_F(EvaluateTest, IsPrinted) {
  EXPECT_EQ(FormatEvaluation({{"metrics", {{"loss", 4.5}, {"perplexity", nullptr}, {"rouge1", {{"recall", 0.25}}}}},
                              {"counts", {{"tokens", 12345}}},
                              {"settings", {{"text", {{"mode", "token"}, {"context", 64}}}}}}),
            "loss            4.5\n"
            "perplexity      none (not a finite number)\n"
            "rouge1          recall 0.25\n"
            "tokens          12345\n"
            "measured: text  context 64, mode token\n");
  EXPECT_EQ(FormatEvaluation(Json::object()), "");
}

TEST_F(EvaluateTest, TheSameInputsGiveTheSameBytes) {
  ASSERT_TRUE(Evaluate(TextOptions()).ok());
  const std::string first = Read("m/quern/eval.json");
  ASSERT_TRUE(Evaluate(TextOptions()).ok());
  EXPECT_EQ(Read("m/quern/eval.json"), first);
}

TEST_F(EvaluateTest, MergesWithTheSameModelOnly) {
  ASSERT_TRUE(Evaluate(TextOptions()).ok());
  EvalOptions rouge = Options();
  rouge.prompts_file = Path("prompts.txt");
  rouge.references_file = Path("references.txt");
  rouge.max_new_tokens = 4;
  const Json both = Evaluate(rouge).value();
  EXPECT_TRUE(both["metrics"].contains("loss"));
  EXPECT_TRUE(both["metrics"]["rougeLsum"].contains("fmeasure"));
  EXPECT_EQ(both["counts"]["rouge_records"], 2);
  EXPECT_EQ(both["counts"]["tokens"], 55);
  EXPECT_TRUE(both["inputs"].contains("test"));
  EXPECT_EQ(both["settings"]["rouge"], (Json{{"stemmer", "none"}, {"max_new_tokens", 4}}));
  // A new evaluation of predictions replaces the old one as a whole.
  EvalOptions given = PredictionOptions();
  given.model_name = Path("m");
  const Json replaced = Evaluate(given).value();
  EXPECT_FALSE(replaced["inputs"].contains("prompts"));
  EXPECT_FALSE(replaced["counts"].contains("truncated_prompts"));
  EXPECT_EQ(replaced["settings"]["rouge"], (Json{{"stemmer", "none"}}));
  EXPECT_TRUE(replaced["metrics"].contains("loss"));
  // Other weights: nothing stays.
  PutModel(/*seed=*/2);
  EXPECT_FALSE(Evaluate(rouge).value()["metrics"].contains("loss"));
  // Nor with another tokenizer.
  ASSERT_TRUE(Evaluate(TextOptions()).ok());
  Write("m/tokenizer.json", Tokenizer::Bytes().json() + "\n");
  EXPECT_FALSE(Evaluate(rouge).value()["metrics"].contains("loss"));
}

TEST_F(EvaluateTest, ReplacesAReportThatCannotBeRead) {
  Write("m/quern/eval.json", "{\"metrics\": {\"loss\": ");
  const Json report = Evaluate(TextOptions()).value();
  EXPECT_EQ(report, ReadArtefact(Path("m/quern/eval.json"), "eval").value());
}

TEST_F(EvaluateTest, PredictionsNeedNoModel) {
  const Json report = Evaluate(PredictionOptions()).value();
  // "the beginning" vs "beginning": P 1/2, R 1; "without" vs "earth was without form": P 1, R 1/4.
  EXPECT_DOUBLE_EQ(report["metrics"]["rouge1"]["precision"].get<double>(), 0.75);
  EXPECT_DOUBLE_EQ(report["metrics"]["rougeL"]["recall"].get<double>(), 0.625);
  EXPECT_DOUBLE_EQ(report["metrics"]["rouge1"]["fmeasure"].get<double>(), (2.0 / 3 + 0.4) / 2);
  EXPECT_FALSE(report["inputs"].contains("model"));
  EXPECT_FALSE(FileExists(Path("m/quern/eval.json")));
  EvalOptions options = PredictionOptions();
  options.output_file = Path("report.json");
  options.stemmer = Stemmer::kPorter;
  EXPECT_EQ(Evaluate(options).value()["settings"]["rouge"]["stemmer"], "porter");
  EXPECT_EQ(ReadArtefact(Path("report.json"), "eval").value()["inputs"]["predictions"]["path"], "predictions.txt");
}

TEST_F(EvaluateTest, JsonLinesOfPredictions) {
  Write("p.jsonl", "{\"text\": \"a b\\nc\"}\n{\"text\": \"d\", \"id\": 7}\n");
  Write("r.jsonl", "{\"text\": \"c\\na b\"}\n{\"text\": \"d\"}\n");
  const Json report = Evaluate({.predictions_file = Path("p.jsonl"), .references_file = Path("r.jsonl")}).value();
  EXPECT_EQ(report["metrics"]["rougeLsum"]["fmeasure"], 1.0);
  EXPECT_DOUBLE_EQ(report["metrics"]["rougeL"]["fmeasure"].get<double>(), (2.0 / 3 + 1) / 2);
}

TEST_F(EvaluateTest, SpeedIsMeasuredOnTheEngineGiven) {
  EvalOptions options = Options();
  options.speed = true;
  int64_t calls = 0;
  const SpeedProbe probe = [&](const std::vector<int32_t>& prompt, int32_t new_tokens) -> absl::StatusOr<SpeedSample> {
    ++calls;
    EXPECT_EQ(prompt.size(), 16u);
    return SpeedSample{16, new_tokens, 0.5, 0.5 + 0.1 * (new_tokens - 1)};
  };
  const Json speed = Evaluate(options, probe).value()["metrics"]["speed"];
  EXPECT_EQ(calls, 6);
  EXPECT_EQ(speed["time_to_first_token"], 0.5);
  EXPECT_EQ(speed["prefill_tokens_per_second"], 32.0);
  EXPECT_NEAR(speed["decode_tokens_per_second"].get<double>(), 10, 1e-9);
  const Json own = Evaluate(options).value();
  EXPECT_GT(own["metrics"]["speed"]["decode_tokens_per_second"].get<double>(), 0);
  EXPECT_EQ(own["settings"]["speed"]["engine"], "decode");
}

TEST_F(EvaluateTest, OptionsThatMakeNoSenseAreNamed) {
  auto message = [](const EvalOptions& options) { return std::string(CheckEvalOptions(options).message()); };
  EXPECT_THAT(message({.model_name = "m"}), HasSubstr("nothing to evaluate"));
  EXPECT_THAT(message({.test_file = "t"}), HasSubstr("--model_name is missing"));
  EXPECT_THAT(message({.prompts_file = "p", .predictions_file = "q", .references_file = "r"}),
              HasSubstr("one of them"));
  EXPECT_THAT(message({.predictions_file = "p"}), HasSubstr("--references_file is missing"));
  EXPECT_THAT(message({.model_name = "m", .references_file = "r"}), HasSubstr("needs --prompts_file"));
  EXPECT_THAT(message({.model_name = "m", .test_file = "t", .stride = 3}), HasSubstr("--mode strided"));
  EXPECT_TRUE(CheckEvalOptions(TextOptions()).ok());
}

TEST_F(EvaluateTest, BadInputsAreRefusedAndNothingIsWritten) {
  EvalOptions options = TextOptions();
  options.test_file = Path("none.txt");
  EXPECT_TRUE(absl::IsNotFound(Evaluate(options).status()));
  Write("empty.txt", "");
  options.test_file = Path("empty.txt");
  EXPECT_THAT(Evaluate(options).status().message(), HasSubstr("empty.txt: it is empty"));
  options = PredictionOptions();
  options.references_file = Path("test.txt");
  Write("predictions.txt", "one\n");
  EXPECT_THAT(Evaluate(options).status().message(), HasSubstr("predictions.txt has 1 records, "));
  options = TextOptions();
  options.output_file = Path("m/../test.txt");
  EXPECT_THAT(Evaluate(options).status().message(), HasSubstr("is an input"));
  options.output_file = Path("m/model.safetensors");
  EXPECT_THAT(Evaluate(options).status().message(), HasSubstr("is an input"));
  options.output_file = Path("m");
  EXPECT_THAT(Evaluate(options).status().message(), HasSubstr("is a folder"));
  options.output_file = Path("none/report.json");
  EXPECT_THAT(Evaluate(options).status().message(), HasSubstr("there is no folder"));
  SimulateInterrupt(15);
  EXPECT_TRUE(absl::IsCancelled(Evaluate(TextOptions()).status()));
  SimulateInterrupt(0);
  EXPECT_FALSE(FileExists(Path("m/quern/eval.json")));
}

// Weights that are no numbers give a report that no gate lets pass.
TEST_F(EvaluateTest, ANanBecomesNull) {
  std::unique_ptr<LanguageModel> model = LoadModel(Path("m")).value();
  model->Visit([](std::string_view, Var& parameter) {
    Tensor weights = parameter.value();
    weights.mutable_data<float>()[0] = std::nanf("");
  });
  ASSERT_TRUE(SaveModel(*model, Path("m")).ok());
  const Json report = Evaluate(TextOptions()).value();
  EXPECT_TRUE(report["metrics"]["loss"].is_null());
  EXPECT_TRUE(report["sum_logprob"].is_null());
}

TEST_F(EvaluateTest, AnswersAreOneLine) {
  std::unique_ptr<LanguageModel> model = LoadModel(Path("m")).value();
  const Tokenizer bytes = Tokenizer::Bytes();
  const std::vector<std::string> prompts = {"In the", std::string(100, 'x'), "And"};
  const Predictions together = Predict(*model, bytes, prompts, 100).value();
  EXPECT_EQ(together.max_new_tokens, 16);
  EXPECT_EQ(together.truncated_prompts, 1);
  ASSERT_EQ(together.texts.size(), 3u);
  for (size_t i = 0; i < prompts.size(); ++i) {
    EXPECT_THAT(together.texts[i], Not(HasSubstr("\n")));
    EXPECT_LE(together.texts[i].size(), 16u);
    EXPECT_THAT(Predict(*model, bytes, {prompts[i]}, 100).value().texts, ElementsAre(together.texts[i]));
  }
  EXPECT_THAT(Predict(*model, bytes, {"a", ""}, 8).status().message(), HasSubstr("prompt 2: it is empty"));
}

}  // namespace
}  // namespace quern
