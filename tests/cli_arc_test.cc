// The whole arc by the real commands: prepare, tokenizer, train, eval, gate, verify, generate, score, serve.
#include <signal.h>

#include <filesystem>

#include "base/file.h"
#include "base/json.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/http/testing.h"
#include "tests/cli_arc.h"
#include "tests/cli_run.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

class CliArcTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = JoinPath(::testing::TempDir(), "arc");
    MakeTinyArc(world_);
  }

  static RunResult Run(const std::vector<std::string>& args) { return RunCli(args, {.folder = world_}); }
  static Json RunJson(std::vector<std::string> args) {
    args.push_back("--json");
    const RunResult result = Run(args);
    EXPECT_EQ(result.exit, 0) << result.err;
    absl::StatusOr<Json> json = ParseJson(result.out, args[0]);
    EXPECT_TRUE(json.ok()) << json.status() << result.out;
    return json.ok() ? *json : Json();
  }
  static std::string Path(const std::string& name) { return JoinPath(world_, name); }

  static std::string world_;
};

std::string CliArcTest::world_;

TEST_F(CliArcTest, EveryStepLeavesWhatIsPinned) {
  for (const char* file :
       {"data/train.txt", "data/validation.txt", "data/test.txt", "data/smoke.txt", "data/metadata.json",
        "data/README.md", "data/tokenizer.json", "model/config.json", "model/model.safetensors", "model/tokenizer.json",
        "model/generation_config.json", "model/README.md", "model/quern/run.json", "model/quern/metrics.jsonl",
        "model/quern/eval.json", "model/quern/verdict.json"}) {
    EXPECT_TRUE(FileExists(Path(file))) << file;
  }
  const Json verdict = *ReadJsonFile(Path("model/quern/verdict.json"));
  EXPECT_EQ(verdict["predicate"]["result"], "PASSED");
  EXPECT_EQ(verdict["predicate"]["passedTests"].size(), 2);
}

TEST_F(CliArcTest, VerifyNamesTheFileOfAnyFlippedByte) {
  const Json whole = RunJson({"verify", "model"});
  EXPECT_EQ(whole["ok"], true);
  EXPECT_GE(whole["checked"], 12);
  for (const std::string file :
       {"book.txt", "policy.txtpb", "data/train.txt", "data/validation.txt", "data/test.txt", "data/metadata.json",
        "model/model.safetensors", "model/config.json", "model/tokenizer.json", "model/quern/run.json",
        "model/quern/eval.json", "model/quern/verdict.json", "data/tokenizer.json"}) {
    const std::string bytes = *ReadFile(Path(file));
    for (const size_t at : {size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ 1);
      ASSERT_TRUE(WriteFileAtomic(Path(file), flipped).ok());
      const RunResult result = Run({"verify", "model", "--json"});
      EXPECT_EQ(result.exit, 1) << file << " byte " << at << "\n" << result.out << result.err;
      const absl::StatusOr<Json> report = ParseJson(result.out, "verify");
      ASSERT_TRUE(report.ok()) << file << ": " << result.out << result.err;
      EXPECT_EQ((*report)["ok"], false);
      bool named = false;
      for (const Json& broken : (*report)["broken"]) named |= broken["file"] == file;
      EXPECT_TRUE(named) << file << " byte " << at << "\n" << result.out;
    }
    ASSERT_TRUE(WriteFileAtomic(Path(file), bytes).ok());
  }
  const RunResult text = Run({"verify", "model"});
  EXPECT_EQ(text.exit, 0) << text.out;
}

TEST_F(CliArcTest, VerifyNamesAMissingFile) {
  fs::rename(Path("book.txt"), Path("elsewhere.txt"));
  const RunResult result = Run({"verify", "model"});
  EXPECT_EQ(result.exit, 1);
  EXPECT_THAT(result.out, HasSubstr("book.txt"));
  fs::rename(Path("elsewhere.txt"), Path("book.txt"));
}

TEST_F(CliArcTest, GateFailsWithStatusOneAndServeObeys) {
  fs::copy(Path("model"), Path("failing"), fs::copy_options::recursive);
  ASSERT_TRUE(WriteFileAtomic(Path("strict.txtpb"), "check { metric: \"loss\" max: 0.01 }").ok());
  const RunResult gate = Run({"gate", "--model_name", "failing", "--policy", "strict.txtpb"});
  EXPECT_EQ(gate.exit, 1) << gate.err;
  EXPECT_THAT(gate.out, HasSubstr("FAILED"));
  const RunResult serve = Run({"serve", "--model_name", "failing", "--port", "0"});
  EXPECT_EQ(serve.exit, 1);
  EXPECT_EQ(serve.out, "");
}

TEST_F(CliArcTest, GenerateGivesTheSameTextAsTheServer) {
  const Json generated =
      RunJson({"generate", "--model_name", "model", "--prompt", "the miller", "--max_new_tokens", "12"});
  EXPECT_EQ(generated["ids"].size(), generated["usage"]["completion_tokens"]);
  const RunResult plain =
      Run({"generate", "--model_name", "model", "--prompt", "the miller", "--max_new_tokens", "12"});
  EXPECT_EQ(plain.exit, 0);
  EXPECT_EQ(Json(plain.out), generated["text"]);

  CliProcess server({"serve", "--model_name", "model", "--port", "0"}, {.folder = world_});
  ASSERT_TRUE(server.WaitFor("listening on http://127.0.0.1:")) << server.err();
  const std::string out = server.out();
  const int port = std::stoi(out.substr(out.rfind(':') + 1));
  const TestResponse answer = Exchange(
      port, PostRequest("/api/generate", "{\"prompt\": \"the miller\", \"max_new_tokens\": 12, \"logprobs\": true}"));
  ASSERT_EQ(answer.status, 200) << answer.body;
  const Json body = *ParseJson(answer.body, "answer");
  EXPECT_EQ(body["text"], generated["text"]);
  EXPECT_EQ(body["model"]["verdict"], "PASSED");
  // And the same bits, as does `score`.
  EXPECT_EQ(body["ids"], generated["ids"]);
  EXPECT_EQ(body["logprobs"], generated["logprobs"]);
  Json ids = generated["prompt_ids"];
  const size_t first = ids.size();
  for (const Json& id : generated["ids"]) ids.push_back(id);
  const Json scored = RunJson({"score", "--model_name", "model", "--ids", WriteJsonLine(ids)});
  for (size_t i = 0; i < generated["ids"].size(); ++i) {
    EXPECT_EQ(scored["logprobs"][first + i], generated["logprobs"][i]) << i;
  }
  const TestResponse streamed = Exchange(
      port, PostRequest("/api/generate",
                        "{\"prompt\": \"the miller\", \"max_new_tokens\": 12, \"logprobs\": true, \"stream\": true}"));
  EXPECT_THAT(streamed.body, HasSubstr(",\"logprobs\":" + WriteJsonLine(generated["logprobs"])));

  EXPECT_EQ(Exchange(port, PostRequest("/api/generate", "{\"prompt\": ")).status, 400);
  const TestResponse misspelt = Exchange(port, PostRequest("/api/generate", "{\"prompt\": \"a\", \"temperatur\": 1}"));
  EXPECT_EQ(misspelt.status, 422);
  EXPECT_THAT(misspelt.body, HasSubstr("temperature"));
  const TestResponse huge =
      Exchange(port,
               "POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               "Content-Length: 2000000000\r\n\r\n{");
  EXPECT_EQ(huge.status, 413);

  const RunResult busy = Run({"serve", "--model_name", "model", "--port", std::to_string(port)});
  EXPECT_EQ(busy.exit, 4) << busy.err;
  EXPECT_THAT(busy.err, HasSubstr(std::to_string(port)));

  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait().exit, 0);
}

TEST_F(CliArcTest, GenerateObeysStopEchoAndSeed) {
  const std::vector<std::string> sampled = {"generate", "--model_name",     "model", "--prompt",
                                            "a river",  "--max_new_tokens", "24",    "--temperature",
                                            "1",        "--seed",           "5"};
  const RunResult once = Run(sampled), again = Run(sampled);
  EXPECT_EQ(once.out, again.out);
  ASSERT_GE(once.out.size(), 8);
  std::vector<std::string> more = sampled;
  more.push_back("--echo");
  EXPECT_EQ(Run(more).out, "a river" + once.out);
  // A stop text from the middle, one byte at least of valid UTF-8.
  size_t at = once.out.size() / 2;
  while (at > 0 && static_cast<signed char>(once.out[at]) < 0) --at;
  const std::string stop = once.out.substr(at, 1);
  more = sampled;
  more.insert(more.end(), {"--stop", stop});
  const RunResult stopped = Run(more);
  EXPECT_EQ(stopped.out, once.out.substr(0, once.out.find(stop)));
}

TEST_F(CliArcTest, ScorePathsAgreeToTheByte) {
  ASSERT_TRUE(WriteFileAtomic(Path("ids.jsonl"), "[1, 2, 3, 4, 5]\n[7]\n[9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 11]\n").ok());
  std::string rows, npy;
  for (const char* path : {"train", "cached", "engine"}) {
    const RunResult result = Run({"score", "--model_name", "model", "--ids_file", "ids.jsonl", "--path", path,
                                  "--chunk", "3", "--batch_size", "2", "--logits_file", "o.npy"});
    ASSERT_EQ(result.exit, 0) << result.err;
    const std::string logits = *ReadFile(Path("o.npy"));
    if (rows.empty()) rows = result.out, npy = logits;
    EXPECT_EQ(result.out, rows) << path;
    EXPECT_EQ(logits, npy) << path;
  }
  const Json first = *ParseJson(rows.substr(0, rows.find('\n')), "row");
  EXPECT_EQ(first["ids"], Json({1, 2, 3, 4, 5}));
  EXPECT_TRUE(first["logprobs"][0].is_null());
  double sum = 0;
  for (size_t i = 1; i < 5; ++i) sum += first["logprobs"][i].get<float>();
  EXPECT_NEAR(first["sum_logprob"].get<double>(), sum, 1e-5);
}

TEST_F(CliArcTest, TokenizerRoundTripsAnyBytes) {
  std::string bytes;
  for (int i = 0; i < 512; ++i) bytes += static_cast<char>(i * 7);
  const RunResult ids = RunCli({"tokenizer", "encode", "--tokenizer", "model"}, {.folder = world_, .in = bytes});
  ASSERT_EQ(ids.exit, 0) << ids.err;
  const RunResult text = RunCli({"tokenizer", "decode", "--tokenizer", "model"}, {.folder = world_, .in = ids.out});
  EXPECT_EQ(text.out, bytes);
  const RunResult lines =
      RunCli({"tokenizer", "encode", "--tokenizer", "model", "--lines"}, {.folder = world_, .in = "a\n\nb"});
  EXPECT_EQ(lines.out, "[97]\n[]\n[98]\n");
}

TEST_F(CliArcTest, TrainGoesOnAfterCtrlC) {
  const RunResult straight = Run(TinyTrainFlags("straight", 400));
  ASSERT_EQ(straight.exit, 0) << straight.err;
  CliProcess train(TinyTrainFlags("stopped", 400), {.folder = world_});
  ASSERT_TRUE(train.WaitFor("step"));
  for (int i = 0; i < 1000 && !FileExists(Path("stopped/quern/metrics.jsonl")); ++i) usleep(2000);
  train.Signal(SIGINT);
  const RunResult stopped = train.Wait();
  ASSERT_EQ(stopped.exit, 130) << stopped.err;
  std::vector<std::string> resume = TinyTrainFlags("stopped", 400);
  resume.push_back("--resume_from_checkpoint=auto");
  const RunResult resumed = Run(resume);
  ASSERT_EQ(resumed.exit, 0) << resumed.err;
  EXPECT_EQ(*ReadFile(Path("stopped/model.safetensors")), *ReadFile(Path("straight/model.safetensors")));
}

TEST_F(CliArcTest, HelpOfEveryVerb) {
  const RunResult overview = Run({});
  EXPECT_EQ(overview.exit, 0);
  EXPECT_EQ(Run({"help"}).out, overview.out);
  EXPECT_EQ(Run({"--help"}).out, overview.out);
  EXPECT_THAT(Run({"--version"}).out, HasSubstr("quern "));
  EXPECT_EQ(Run({"tokenizer", "--help"}).exit, 0);
  // "  VERB   summary" between "Verbs:" and the blank line after them.
  const size_t table = overview.out.find("Verbs:\n") + 7;
  std::vector<std::string> verbs;
  for (size_t at = table, end; overview.out[at] == ' '; at = end + 1) {
    end = overview.out.find('\n', at);
    const std::string row = overview.out.substr(at + 2, end - at - 2);
    if (row[0] != ' ') verbs.push_back(row.substr(0, row.find("  ")));
  }
  ASSERT_GE(verbs.size(), 16u);
  for (const std::string& verb : verbs) {
    std::vector<std::string> args;
    for (size_t at = 0; at <= verb.size();) {
      const size_t space = std::min(verb.find(' ', at), verb.size());
      args.push_back(verb.substr(at, space - at));
      at = space + 1;
    }
    std::vector<std::string> help = args;
    help.insert(help.begin(), "help");
    args.push_back("--help");
    const RunResult result = Run(args);
    EXPECT_EQ(result.exit, 0) << verb;
    EXPECT_THAT(result.out, HasSubstr("\nExamples:\n  ")) << verb;
    EXPECT_EQ(result.err, "") << verb;
    EXPECT_EQ(Run(help).out, result.out) << verb;
  }
}

}  // namespace
}  // namespace quern
