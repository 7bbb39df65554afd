#include "eval/model_card.h"

#include "base/file.h"
#include "base/lineage.h"
#include "base/testing.h"
#include "eval/card_front_matter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Json Report() {
  return {{"metrics",
           {{"loss", 4.5},
            {"word_perplexity", 1e80},
            {"byte_perplexity", nullptr},
            {"rougeL", {{"fmeasure", 0.25}}},
            {"speed", {{"decode_tokens_per_second", 120.5}}}}},
          {"counts", {{"tokens", 12345}}},
          {"settings", {{"text", {{"mode", "token"}, {"context", 256}, {"stride", 256}, {"first_token", "bos"}}}}},
          {"inputs",
           {{"model", {{"path", "../model.safetensors"}, {"sha256", "aa"}, {"bytes", 7}}},
            {"test", {{"path", "../../data/te|st.txt"}, {"sha256", "bb"}, {"bytes", 1000}}},
            {"references", {{"path", "../../refs.txt"}, {"sha256", "cc"}, {"bytes", 10}}}}}};
}

TEST(CardFrontMatterTest, HoldsModelIndex) {
  const std::string expected =
      "---\n"
      "language:\n"
      "- en\n"
      "library_name: transformers\n"
      "pipeline_tag: text-generation\n"
      "tags:\n"
      "- quern\n"
      "- \"gpt2\"\n"
      "model-index:\n"
      "- name: \"m\"\n"
      "  results:\n"
      "  - task:\n"
      "      type: text-generation\n"
      "      name: Text generation\n"
      "    dataset:\n"
      "      type: text\n"
      "      name: \"te|st.txt\"\n"
      "      revision: \"bb\"\n"
      "    metrics:\n"
      "    - type: \"loss\"\n"
      "      name: \"loss\"\n"
      "      value: 4.5\n"
      "    - type: \"word_perplexity\"\n"
      "      name: \"word_perplexity\"\n"
      "      value: 1.0e+80\n"
      "  - task:\n"
      "      type: text-generation\n"
      "      name: Text generation\n"
      "    dataset:\n"
      "      type: text\n"
      "      name: \"refs.txt\"\n"
      "      revision: \"cc\"\n"
      "    metrics:\n"
      "    - type: \"rouge\"\n"
      "      name: \"rougeL.fmeasure\"\n"
      "      value: 0.25\n"
      "---\n\n";
  EXPECT_EQ(CardFrontMatter("m", {{"model_type", "gpt2"}}, Report(), "en", ""), expected);
}

TEST(CardFrontMatterTest, KeepsWhatTheOwnerSays) {
  const std::string card =
      "---\nlicense: mit\nlanguage:\n- de\n- fr\ntags:\n- other\nbase_model: gpt2\n---\n\n# Text\nlicense: none\n";
  const std::string front = CardFrontMatter("m", Json(), Json::object(), "en", card);
  EXPECT_EQ(front,
            "---\nbase_model: gpt2\nlanguage:\n- de\n- fr\nlicense: mit\nlibrary_name: transformers\n"
            "pipeline_tag: text-generation\ntags:\n- quern\n---\n\n");
  // What is written is read again.
  EXPECT_EQ(CardFrontMatter("m", Json(), Json::object(), "en", front), front);
  for (const char* other : {"", "# no front matter\nlicense: mit\n", "---\nlicense: mit\nnever ends"}) {
    EXPECT_THAT(CardFrontMatter("m", Json(), Json::object(), "und", other), StartsWith("---\nlibrary_name")) << other;
  }
}

class ModelCardTest : public FolderTest {
 protected:
  void SetUp() override {
    Write("m/model.safetensors", "weights");
    Write("m/config.json", "{\"model_type\": \"gpt2\", \"n_positions\": 256, \"rope\": {\"x\": 1}}\n");
  }

  // The records of prepare and train.
  void PutRun() {
    Write("data/train.txt", "train");
    Write("m/quern/settings.txtpb", "learning_rate: 0.001");
    Json data = NewArtefact("data");
    data["source"] = {{"path", "../book.txt"}, {"sha256", "dd"}};
    data["counts"] = {{"read", 31102}, {"kept", 30000}};
    data["language"] = {{"code", "en"}};
    ASSERT_TRUE(WriteSealedArtefact(Path("data/metadata.json"), data).ok());
    Json run;
    run["inputs"] =
        DescribeRunInputs({{"train", Path("data/train.txt")}, {"config", Path("m/quern/settings.txtpb")}}, Path("m"))
            .value();
    run["parameters"] = 4200000;
    run["best"] = {{"step", 500}, {"eval_loss", 3.25}};
    ASSERT_TRUE(WriteRun(Path("m"), run).ok());
  }

  std::string Card(const Json& report = Report()) {
    GateResult result;
    result.rows = {{"loss", "loss", 4.5, std::nullopt, 6.0, true, ""},
                   {"x", "x", std::nullopt, 1.0, std::nullopt, false, "it lacks | this"}};
    EXPECT_TRUE(WriteModelCard(Path("m"), result, report).ok());
    return Read("m/README.md");
  }
};

TEST_F(ModelCardTest, SaysWhatIsOnRecord) {
  PutRun();
  const std::string card = Card();
  for (const char* text : {
           "# m\n\nA `gpt2` language model of 4,200,000 parameters",
           "## Verdict: FAILED",
           "| `loss` | 4.5 | at most 6.0 | passed |",
           "| `x` |  | at least 1.0 | **failed** `it lacks ? this` |",
           "| `word_perplexity` | 1e+80 |",
           "| `byte_perplexity` | none (not a finite number) |",
           "| `rougeL.fmeasure` | 0.25 |",
           "| `counts.tokens` | 12,345 |",
           "| test | `../../data/te?st.txt` | 1.0 kB | `bb` |",
           "language:\n- en\n",
           "31,102 records read, 30,000 kept",
           "| train | `../../data/train.txt` | 5 B |",
           "| `best eval_loss` | 3.25 |",
           "~~~~\nlearning_rate: 0.001\n~~~~",
           "It sees at most 256 tokens",
           "quern generate --model_name m ",
       }) {
    EXPECT_THAT(card, HasSubstr(text));
  }
}

TEST_F(ModelCardTest, AModelMadeElsewhereSaysSo) {
  EXPECT_THAT(Card(), HasSubstr("No training is on record here"));
  EXPECT_THAT(Card(Json::object()), Not(HasSubstr("model-index")));
}

TEST_F(ModelCardTest, KeepsAnothersCard) {
  Write("m/README.md", "---\nlicense: mit\n---\n# Theirs\n");
  EXPECT_THAT(Card(), StartsWith("---\nlicense: mit\n"));
  EXPECT_EQ(Read("m/README.original.md"), "---\nlicense: mit\n---\n# Theirs\n");
  EXPECT_THAT(Card(), StartsWith("---\nlicense: mit\n"));
  EXPECT_EQ(Read("m/README.original.md"), "---\nlicense: mit\n---\n# Theirs\n");
}

TEST_F(ModelCardTest, HostileRecordsDoNoHarm) {
  Write("m/config.json", "[1, 2]");
  Json report = {{"metrics", {{"a|b\n", 1.0}, {"deep", {{"x", {{"y", 1}}}}}}}, {"inputs", {{"test", "x"}, {"m", {1}}}}};
  EXPECT_THAT(Card(report), HasSubstr("| `a?b?` | 1 |"));
  report = {{"metrics", 3}, {"settings", "x"}, {"inputs", Json::array({1})}, {"counts", nullptr}};
  EXPECT_THAT(Card(report), HasSubstr("## Evaluation"));
}

}  // namespace
}  // namespace quern
