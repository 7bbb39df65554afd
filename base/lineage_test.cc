#include "base/lineage.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>

#include "base/file.h"
#include "base/sha256.h"
#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// A whole chain: raw text, data folder, a base model with a run of its own, the model, its report, policy and verdict.
class LineageTest : public FolderTest {
 protected:
  void SetUp() override {
    MakeData();
    Write("base/model.safetensors", "base weights");
    Write("base/config.json", "{}");
    ASSERT_TRUE(WriteRun(Path("base"), {{"inputs", Json::object()}}).ok());
    MakeModel();
    Judge({.passed = {"loss"}, .failed = {}});
  }

  void MakeData() {
    Write("raw/book.txt", "In the beginning");
    for (const char* split : {"train", "validation"}) Write(std::string("data/") + split + ".txt", split);
    Json data = NewArtefact("data");
    data["timestamp"] = "2026-11-24T09:00:00Z";
    data["source"] = DescribeSource(Path("raw/book.txt"), {Path("raw/book.txt")}, Path("data")).value();
    for (const char* split : {"train", "validation"}) {
      Json entry = DescribeFile(Path(std::string("data/") + split + ".txt"), Path("data")).value();
      entry["file"] = entry["path"];
      entry.erase("path");
      data["splits"][split] = entry;
    }
    ASSERT_TRUE(WriteSealedArtefact(Path("data/metadata.json"), data).ok());
  }

  void MakeModel() {
    Write("train.config", "learning_rate: 1e-3");
    for (const char* name : {"model.safetensors", "config.json", "tokenizer.json", "generation_config.json"}) {
      Write(std::string("m/") + name, std::string("the ") + name);
    }
    Json run;
    run["settings"] = {{"seed", 1}};
    run["inputs"] = DescribeRunInputs({{"train", Path("data/train.txt")},
                                       {"validation", Path("data/validation.txt")},
                                       {"config", Path("train.config")},
                                       {"base_model", Path("base/model.safetensors")}},
                                      Path("m"))
                        .value();
    ASSERT_TRUE(WriteRun(Path("m"), run).ok());
  }

  void Judge(const VerdictTests& tests) {
    Json report = NewArtefact("eval");
    report["metrics"]["loss"] = 1.5;
    report["inputs"]["model"] = DescribeFile(Path("m/model.safetensors"), Path("m/quern")).value();
    Write("test.txt", "test");
    report["inputs"]["test"] = DescribeFile(Path("test.txt"), Path("m/quern")).value();
    Write("m/quern/eval.json", WriteJson(report));
    Write("policy.textproto", "check { metric: \"loss\" max: 6.0 }");
    ASSERT_TRUE(WriteVerdict(Path("m"), tests, Path("policy.textproto"), Path("m/quern/eval.json")).ok());
  }

  // Base names of the files with broken links.
  std::vector<std::string> Broken(const std::string& model = "m") const {
    std::vector<std::string> broken;
    const std::vector<LineageLink> links = WalkLineage(Path(model)).value();
    for (const LineageLink& link : links) {
      if (!link.problem.empty()) broken.push_back(Basename(link.file));
    }
    return broken;
  }
  // Rewrites a sealed artefact so that its seal holds.
  template <typename Edit>
  void Reseal(const std::string& name, const Edit& edit) const {
    Json artefact = ReadJsonFile(Path(name)).value();
    artefact.erase("self_sha256");
    edit(artefact);
    ASSERT_TRUE(WriteSealedArtefact(Path(name), artefact).ok());
  }
};

const char* const kChain[] = {"m/quern/verdict.json",
                              "m/quern/eval.json",
                              "m/quern/run.json",
                              "m/model.safetensors",
                              "m/config.json",
                              "m/tokenizer.json",
                              "m/generation_config.json",
                              "policy.textproto",
                              "test.txt",
                              "train.config",
                              "data/metadata.json",
                              "data/train.txt",
                              "data/validation.txt",
                              "raw/book.txt",
                              "base/model.safetensors",
                              "base/config.json",
                              "base/quern/run.json"};

TEST_F(LineageTest, AWholeChainHolds) {
  const std::vector<LineageLink> links = WalkLineage(Path("m")).value();
  for (const LineageLink& link : links) {
    EXPECT_EQ(link.problem, "") << link.file << " " << link.role;
    EXPECT_EQ(link.expected, link.actual) << link.file;
  }
  for (const char* file : kChain) {
    EXPECT_TRUE(std::any_of(links.begin(), links.end(), [&](const LineageLink& link) {
      return link.file == RelativePath(Path(file), ".") || link.file == Path(file);
    })) << file;
  }
  const Verdict verdict = ReadVerdict(Path("m"));
  EXPECT_TRUE(verdict.present && verdict.passed);
  EXPECT_EQ(verdict.problem, "");
  EXPECT_EQ(verdict.sha256, Sha256(Read("m/quern/verdict.json")));
}

TEST_F(LineageTest, EveryFlippedByteIsFound) {
  // Every byte of the files that seal themselves is tried against the seal alone; the whole walk, at every seventh.
  const std::map<std::string, std::string> sealed = {
      {"m/quern/verdict.json", "verdict"}, {"m/quern/run.json", "run"}, {"data/metadata.json", "data"}};
  for (const char* file : kChain) {
    const std::string whole = Read(file);
    for (size_t at = 0; at < whole.size(); ++at) {
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ (at % 2 == 0 ? 1 : 0x20));
      Write(file, flipped);
      if (auto kind = sealed.find(file); kind != sealed.end()) {
        ASSERT_FALSE(ReadSealedArtefact(Path(file), kind->second).ok()) << file << " byte " << at;
      }
      if (at % 7 == 0) {
        ASSERT_THAT(Broken(), Contains(Basename(file))) << file << " byte " << at;
      }
    }
    Write(file, whole);
  }
  EXPECT_THAT(Broken(), IsEmpty());
}

TEST_F(LineageTest, EveryMissingFileIsFound) {
  for (const char* file : kChain) {
    if (std::string(file) == "m/quern/verdict.json") continue;  // nothing names the last link
    const std::string whole = Read(file);
    ASSERT_TRUE(RemoveAll(Path(file)).ok());
    EXPECT_THAT(Broken(), Contains(Basename(file))) << file;
    Write(file, whole);
  }
}

TEST_F(LineageTest, AddedSpaceAndReorderingBreakASeal) {
  for (const char* file : {"m/quern/verdict.json", "m/quern/run.json", "data/metadata.json"}) {
    const std::string whole = Read(file);
    for (const std::string& changed :
         {whole + " ", " " + whole, whole.substr(0, whole.size() - 1), WriteJsonLine(ParseJson(whole, "x").value())}) {
      Write(file, changed);
      EXPECT_THAT(Broken(), Contains(Basename(file)));
    }
    Write(file, whole);
  }
}

TEST_F(LineageTest, AResealedLinkIsFoundByItsSuccessor) {
  Reseal("data/metadata.json", [](Json& data) { data["timestamp"] = "2020-01-01T00:00:00Z"; });
  EXPECT_THAT(Broken(), ElementsAre("metadata.json"));
  Reseal("m/quern/run.json", [&](Json& run) {
    run["inputs"]["metadata"] = DescribeFile(Path("data/metadata.json"), Path("m/quern")).value();
  });
  EXPECT_THAT(Broken(), ElementsAre("run.json"));
}

TEST_F(LineageTest, TheFolderMayMoveAsAWhole) {
  const std::vector<std::string> names = ListFolder(folder()).value();
  ASSERT_TRUE(MakeFolders(Path("elsewhere")).ok());
  for (const std::string& name : names) std::filesystem::rename(Path(name), Path("elsewhere/" + name));
  EXPECT_THAT(Broken("elsewhere/m"), IsEmpty());
}

TEST_F(LineageTest, SourceOfManyFiles) {
  Write("raw/a.txt", "a");
  Json source = DescribeSource(Path("raw"), {Path("raw/a.txt"), Path("raw/book.txt")}, Path("data")).value();
  EXPECT_EQ(source["path"], "../raw");
  EXPECT_EQ(source["bytes"], 17);
  EXPECT_EQ(source["sha256"],
            Sha256(Sha256("a") + "  ../raw/a.txt\n" + Sha256("In the beginning") + "  ../raw/book.txt\n"));
  Reseal("data/metadata.json", [&](Json& data) { data["source"] = source; });
  EXPECT_THAT(Broken(), ElementsAre("metadata.json"));  // the run still names the former one
  Write("raw/a.txt", "b");
  EXPECT_THAT(Broken(), Contains("a.txt"));
}

TEST_F(LineageTest, VerdictOverOtherWeights) {
  Write("m/model.safetensors", "other weights");
  const Verdict verdict = ReadVerdict(Path("m"));
  EXPECT_TRUE(verdict.present);
  EXPECT_FALSE(verdict.passed);
  EXPECT_THAT(verdict.problem, HasSubstr("model.safetensors is not the one that was judged"));
}

TEST_F(LineageTest, VerdictCoversWhateverDecidesTheAnswer) {
  Write("m/chat_template.jinja", "{{ messages }}");
  EXPECT_FALSE(ReadVerdict(Path("m")).passed);
  EXPECT_THAT(ReadVerdict(Path("m")).problem, HasSubstr("chat_template.jinja was not judged"));
  EXPECT_THAT(Broken(), ElementsAre("chat_template.jinja"));
  Judge({.passed = {"loss"}, .failed = {}});
  EXPECT_TRUE(ReadVerdict(Path("m")).passed);
}

TEST_F(LineageTest, FailedVerdict) {
  Judge({.passed = {"loss"}, .failed = {"rouge1"}});
  const Verdict verdict = ReadVerdict(Path("m"));
  EXPECT_TRUE(verdict.present);
  EXPECT_FALSE(verdict.passed);
  EXPECT_EQ(verdict.problem, "");
  EXPECT_THAT(verdict.failed, ElementsAre("rouge1"));
  EXPECT_THAT(Broken(), IsEmpty());
  Judge({.passed = {}, .failed = {}});
  EXPECT_FALSE(ReadVerdict(Path("m")).passed) << "nothing was tested";
}

TEST_F(LineageTest, VerdictAtOddsWithItself) {
  const Json good = ReadJsonFile(Path("m/quern/verdict.json")).value();
  const std::vector<std::pair<std::string, std::function<void(Json&)>>> edits = {
      {"at odds with failedTests: loss", [](Json& v) { v["predicate"]["failedTests"] = {"loss"}; }},
      {"no test passed", [](Json& v) { v["predicate"]["passedTests"] = Json::array(); }},
      {"failedTests is missing", [](Json& v) { v["predicate"].erase("failedTests"); }},
      {"failedTests is missing", [](Json& v) { v["predicate"]["failedTests"] = "none"; }},
      {"neither PASSED nor FAILED", [](Json& v) { v["predicate"]["result"] = "passed"; }},
      {"neither PASSED nor FAILED", [](Json& v) { v["predicate"]["result"] = true; }},
      {"failedTests is missing", [](Json& v) { v["predicate"] = 5; }},
      {"no subject", [](Json& v) { v["subject"] = Json::array(); }},
      {"not a file of the model folder", [](Json& v) { v["subject"][0]["name"] = "../base/model.safetensors"; }},
      {"not a file of the model folder", [](Json& v) { v["subject"] = "model.safetensors"; }},
      {"is not the one that was judged", [](Json& v) { v["subject"][0]["digest"].erase("sha256"); }},
      {"was not judged", [](Json& v) { v["subject"].erase(1); }},
      {"_type", [](Json& v) { v["_type"] = "x"; }},
      {"predicateType", [](Json& v) { v["predicateType"] = "x"; }},
  };
  for (const auto& edit : edits) {
    Json verdict = good;
    edit.second(verdict);
    verdict.erase("self_sha256");
    ASSERT_TRUE(WriteSealedArtefact(Path("m/quern/verdict.json"), verdict).ok());
    EXPECT_FALSE(ReadVerdict(Path("m")).passed) << edit.first;
    EXPECT_THAT(ReadVerdict(Path("m")).problem, HasSubstr(edit.first));
    EXPECT_FALSE(Broken().empty()) << edit.first;
  }
}

TEST_F(LineageTest, ReportOnOtherWeights) {
  Json report = ReadJsonFile(Path("m/quern/eval.json")).value();
  report["inputs"]["model"] = DescribeFile(Path("base/model.safetensors"), Path("m/quern")).value();
  Write("m/quern/eval.json", WriteJson(report));
  ASSERT_TRUE(
      WriteVerdict(Path("m"), {.passed = {"loss"}, .failed = {}}, Path("policy.textproto"), Path("m/quern/eval.json"))
          .ok());
  EXPECT_THAT(Broken(), ElementsAre("eval.json"));
}

TEST_F(LineageTest, WithoutAVerdictTheRunIsWalked) {
  ASSERT_TRUE(RemoveAll(Path("m/quern/verdict.json")).ok());
  EXPECT_FALSE(ReadVerdict(Path("m")).present);
  EXPECT_THAT(Broken(), IsEmpty());
  Write("data/train.txt", "TRAIN");
  EXPECT_THAT(Broken(), ElementsAre("train.txt", "train.txt"));  // named by the run and by the metadata
  Write("m/quern/eval.json", "{");
  EXPECT_THAT(Broken(), Contains("eval.json"));
  ASSERT_TRUE(RemoveAll(Path("m/quern/run.json")).ok());
  EXPECT_EQ(WalkLineage(Path("m")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(LineageTest, HostileArtefactsAreProblemsNotCrashes) {
  ASSERT_TRUE(RemoveAll(Path("m/quern/verdict.json")).ok());
  for (const char* inputs :
       {"null", "5", "\"x\"", "[]", "[5, {}]", R"({"a": 5})", R"({"a": [[{}], null]})", R"({"a": {"path": 5}})",
        R"({"metadata": {"path": "run.json"}})", R"({"base_run": {"path": "run.json", "sha256": "00"}})",
        R"({"a": {"path": "/dev/zero"}})"}) {
    Json run = NewArtefact("run");
    run["inputs"] = ParseJson(inputs, "x").value();
    run["outputs"] = run["inputs"];
    ASSERT_TRUE(WriteSealedArtefact(Path("m/quern/run.json"), run).ok());
    EXPECT_FALSE(Broken().empty()) << inputs;
  }
}

TEST_F(LineageTest, ShardedModels) {
  ASSERT_TRUE(RemoveAll(Path("m/model.safetensors")).ok());
  EXPECT_EQ(ModelFiles(Path("m")).status().code(), absl::StatusCode::kNotFound);
  Write("m/model.safetensors.index.json", R"({"weight_map": {"a": "s-2", "b": "s-1", "c": "s-2"}})");
  EXPECT_THAT(ModelFiles(Path("m")).value(), ElementsAre("model.safetensors.index.json", "s-1", "s-2", "config.json",
                                                         "tokenizer.json", "generation_config.json"));
  Write("m/s-1", "1");
  Write("m/s-2", "2");
  ASSERT_TRUE(
      WriteVerdict(Path("m"), {.passed = {"loss"}, .failed = {}}, Path("policy.textproto"), Path("m/quern/eval.json"))
          .ok());
  EXPECT_TRUE(ReadVerdict(Path("m")).passed);
  Write("m/s-2", "3");
  EXPECT_THAT(ReadVerdict(Path("m")).problem, HasSubstr("s-2"));
  for (const char* map : {R"({"a": "../s-1"})", R"({"a": ""})", R"({"a": ".."})", R"({"a": 5})",
                          R"({"a": "/etc/passwd"})", "[]", R"({"a": "s-1\u0000"})"}) {
    Write("m/model.safetensors.index.json", std::string(R"({"weight_map": )") + map + "}");
    EXPECT_EQ(ModelFiles(Path("m")).status().code(), absl::StatusCode::kInvalidArgument) << map;
  }
}

TEST_F(LineageTest, Artefacts) {
  ASSERT_TRUE(WriteSealedArtefact(Path("x.json"), NewArtefact("run")).ok());
  EXPECT_TRUE(ReadSealedArtefact(Path("x.json"), "run").ok());
  EXPECT_TRUE(ReadArtefact(Path("x.json"), "run").ok());
  EXPECT_THAT(std::string(ReadArtefact(Path("x.json"), "data").status().message()),
              HasSubstr("expected schema \"quern/data\" version 1, found schema \"quern/run\" version 1"));
  Write("x.json", R"({"schema": "quern/run", "version": 2})");
  EXPECT_THAT(std::string(ReadArtefact(Path("x.json"), "run").status().message()), HasSubstr("version 2"));
  Write("x.json", "{}");
  EXPECT_THAT(std::string(ReadArtefact(Path("x.json"), "run").status().message()), HasSubstr("found no schema"));
  Write("x.json", "[]");
  EXPECT_FALSE(ReadArtefact(Path("x.json"), "run").ok());
  Json odd = NewArtefact("run");
  odd["nan"] = std::nan("");
  odd["bytes"] = "\xff";
  ASSERT_TRUE(WriteSealedArtefact(Path("x.json"), odd).ok());
  EXPECT_TRUE(ReadSealedArtefact(Path("x.json"), "run").ok());
}

TEST_F(LineageTest, AForeignMetadataFileIsNotOurs) {
  Write("other/train.txt", "x");
  Write("other/metadata.json", "{\"licence\": \"CC0\"}");
  Json inputs = DescribeRunInputs({{"train", Path("other/train.txt")}}, Path("m")).value();
  EXPECT_EQ(inputs.size(), 1u);
  EXPECT_EQ(inputs["train"]["path"], "../../other/train.txt");
}

}  // namespace
}  // namespace quern
