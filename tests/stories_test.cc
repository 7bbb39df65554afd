// stories260K, which others trained and whose answers others published, through the real binary: convert, score,
// generate and serve. Its logits: nn/import/llama2c_test.cc.
#include <signal.h>

#include <cmath>

#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "serve/http/testing.h"
#include "tests/cli_run.h"

namespace quern {
namespace {

using ::testing::HasSubstr;
using Strings = std::vector<std::string>;

class StoriesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fixtures_ = FixturesFolder();
    if (fixtures_.empty()) GTEST_SKIP() << kNoFixtures;
    world_ = JoinPath(::testing::TempDir(), "stories");
    ASSERT_TRUE(MakeFolders(world_).ok());
    if (FileExists(JoinPath(world_, "model"))) return;
    const RunResult result = Run({"convert", "--input", Fixture("weights/stories260K.bin"), "--tokenizer",
                                  Fixture("weights/tok512.bin"), "--output", "model", "--json"});
    ASSERT_EQ(result.exit, 0) << result.err;
    EXPECT_EQ(*ParseJson(result.out, "convert"),
              Json({{"parameters", 260032}, {"vocab_size", 512}, {"max_positions", 512}, {"tokenizer_ids", 512}}));
  }

  static std::string Fixture(const std::string& name) { return JoinPath(fixtures_, name); }
  static RunResult Run(const Strings& args, const std::string& in = "") {
    return RunCli(args, {.folder = world_, .in = in});
  }
  static Json RunJson(const Strings& args) {
    const RunResult result = Run(args);
    EXPECT_EQ(result.exit, 0) << result.err;
    absl::StatusOr<Json> json = ParseJson(result.out, args[0]);
    EXPECT_TRUE(json.ok()) << json.status() << result.out;
    return json.ok() ? *json : Json();
  }

  static std::string fixtures_, world_;
};

std::string StoriesTest::fixtures_, StoriesTest::world_;

TEST_F(StoriesTest, GreedyTextIsThatOfRunCToTheByte) {
  const Json reference = *ReadJsonFile(Fixture("weights/stories260K.reference.json"));
  ASSERT_EQ(reference["greedy"].size(), 3);
  for (const Json& story : reference["greedy"]) {
    const std::string prompt = story["prompt"], text = story["text"];
    const Json encoded =
        *ParseJson(Run({"tokenizer", "encode", "--tokenizer", "model", "--add_bos"}, prompt).out, "ids");
    // run.c's steps count every token after BOS; it ends with a newline of its own.
    const int steps = story["steps"].get<int>() + 1 - static_cast<int>(encoded.size());
    const RunResult result = Run(
        {"generate", "--model_name", "model", "--prompt", prompt, "--echo", "--max_new_tokens", std::to_string(steps)});
    EXPECT_EQ(result.exit, 0) << result.err;
    EXPECT_EQ(result.out + "\n", text);
  }
}

// As long as run.c goes unless told otherwise.
TEST_F(StoriesTest, TheStoryOfTheModelsPage) {
  const std::string page = *ReadFile(Fixture("weights/stories260K_upstream_doc.md"));
  const std::string command = "-z stories260K/tok512.bin -t 0.0\n";
  const size_t begin = page.find(command) + command.size(), end = page.find("\n```", begin);
  ASSERT_LT(end, page.size());
  const RunResult result =
      Run({"generate", "--model_name", "model", "--prompt", "", "--max_new_tokens", "256", "--quiet"});
  EXPECT_EQ(result.out, page.substr(begin, end - begin));
}

TEST_F(StoriesTest, ScoreGenerateAndTheServerGiveTheSameBits) {
  CliProcess server({"serve", "--model_name", "model", "--port", "0", "--allow_unverified"}, {.folder = world_});
  ASSERT_TRUE(server.WaitFor("listening on http://127.0.0.1:")) << server.err();
  const std::string out = server.out();
  const int port = std::stoi(out.substr(out.rfind(':') + 1));
  for (const std::string temperature : {"0", "1"}) {
    const std::string prompt = "One day, a big dog";
    const Json generated = RunJson({"generate", "--model_name", "model", "--prompt", prompt, "--max_new_tokens", "100",
                                    "--temperature", temperature, "--seed", "7", "--json"});
    const TestResponse answer =
        Exchange(port, PostRequest("/api/generate", "{\"prompt\": \"" + prompt +
                                                        "\", \"max_new_tokens\": 100, \"seed\": 7, \"logprobs\": true, "
                                                        "\"temperature\": " +
                                                        temperature + "}"));
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json served = *ParseJson(answer.body, "answer");
    EXPECT_EQ(served["ids"], generated["ids"]);
    EXPECT_EQ(served["logprobs"], generated["logprobs"]);
    EXPECT_EQ(served["text"], generated["text"]);
    EXPECT_EQ(generated["ids"].size(), 100);

    Json ids = generated["prompt_ids"];
    const size_t first = ids.size();
    for (const Json& id : generated["ids"]) ids.push_back(id);
    ASSERT_TRUE(WriteFileAtomic(JoinPath(world_, "ids.jsonl"), WriteJsonLine(ids) + "\n").ok());
    for (const char* path : {"train", "cached", "engine"}) {
      const Json scored =
          RunJson({"score", "--model_name", "model", "--ids_file", "ids.jsonl", "--path", path, "--chunk", "5"});
      for (size_t i = 0; i < 100; ++i) {
        EXPECT_EQ(scored["logprobs"][first + i], generated["logprobs"][i]) << path << " " << i;
      }
    }
  }
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait().exit, 0);
}

// Two turns: the text between them is one text, without BOS or a space of its own in the middle.
TEST_F(StoriesTest, ChatGoesOnWithTheWholeText) {
  const RunResult chat =
      Run({"chat", "--model_name", "model", "--json", "--temperature", "0", "--max_new_tokens", "30"},
          "Once upon a time\nThen a dragon\n");
  ASSERT_EQ(chat.exit, 0) << chat.err;
  const size_t newline = chat.out.find('\n');
  const Json first = *ParseJson(chat.out.substr(0, newline), "turn"),
             second = *ParseJson(chat.out.substr(newline), "turn");
  const Json alone = RunJson(
      {"generate", "--model_name", "model", "--prompt", "Once upon a time", "--max_new_tokens", "30", "--json"});
  for (const char* field : {"prompt_ids", "ids", "logprobs", "text", "finish_reason"}) {
    EXPECT_EQ(first[field], alone[field]) << field;
  }
  EXPECT_EQ(second["usage"]["cached_tokens"], first["usage"]["total_tokens"].get<int>() - 1);
  const std::string text =
      Run({"tokenizer", "decode", "--tokenizer", "model"}, WriteJsonLine(second["prompt_ids"]) + "\n").out;
  EXPECT_EQ(text, "<s> Once upon a time" + first["text"].get<std::string>() + "\nThen a dragon");
  std::string ids;
  for (const Json& id : second["prompt_ids"]) ids += (ids.empty() ? "" : ",") + std::to_string(id.get<int>());
  const Json again =
      RunJson({"generate", "--model_name", "model", "--prompt_ids", ids, "--max_new_tokens", "30", "--json"});
  EXPECT_EQ(second["ids"], again["ids"]);
  EXPECT_EQ(second["logprobs"], again["logprobs"]);
  EXPECT_EQ(second["text"], again["text"]);
}

// What tests/numpy/llama_score.py works out in f64:
//   tests/numpy/llama_score.py --checkpoint weights/stories260K.bin --tokenizer weights/tok512.bin
//       --text_file corpora/wikitext-2/valid.txt --bytes 20000
// prints the first, and without --bytes the second.
constexpr double kBitsPerByte20000 = 5.237401596, kBitsPerByte = 4.939006202;

TEST_F(StoriesTest, BitsPerByteOfWikitextAreThoseOfNumPy) {
  std::string text = *ReadFile(Fixture("corpora/wikitext-2/valid.txt"));
  text.resize(20000);
  ASSERT_TRUE(WriteFileAtomic(JoinPath(world_, "wiki.txt"), text).ok());
  std::string train;
  for (const char* path : {"train", "cached", "engine"}) {
    const RunResult result = Run({"score", "--model_name", "model", "--text_file", "wiki.txt", "--path", path});
    ASSERT_EQ(result.exit, 0) << result.err;
    if (train.empty()) train = result.out;
    EXPECT_EQ(result.out, train) << path;
  }
  const Json scored = *ParseJson(train, "score");
  EXPECT_EQ(scored["ids"].size(), 12957 + 1);
  EXPECT_EQ(scored["bytes"], 20000);
  EXPECT_NEAR(-scored["sum_logprob"].get<double>() / 20000 / std::log(2.0), kBitsPerByte20000, 1e-5);
  const Json evaluated = RunJson({"eval", "--model_name", "model", "--test_file", "wiki.txt", "--json"});
  EXPECT_NEAR(evaluated["metrics"]["bits_per_byte"].get<double>(), kBitsPerByte20000, 1e-5);
  EXPECT_EQ(evaluated["sum_logprob"], scored["sum_logprob"]);
}

TEST_F(StoriesTest, BitsPerByteOfTheWholeSplit) {
  const RunResult result =
      Run({"score", "--model_name", "model", "--text_file", Fixture("corpora/wikitext-2/valid.txt")});
  ASSERT_EQ(result.exit, 0) << result.err;
  const Json scored = *ParseJson(result.out, "score");
  EXPECT_EQ(scored["ids"].size(), 705242 + 1);
  EXPECT_EQ(scored["bytes"], 1121681);
  EXPECT_NEAR(-scored["sum_logprob"].get<double>() / 1121681 / std::log(2.0), kBitsPerByte, 1e-5);
}

TEST_F(StoriesTest, AnImportedFolderHasAChainAndNoVerdict) {
  const Json verified = RunJson({"verify", "model", "--json"});
  EXPECT_EQ(verified["ok"], true);
  EXPECT_GE(verified["checked"], 7);
  const RunResult refused = Run({"serve", "--model_name", "model", "--port", "0"});
  EXPECT_EQ(refused.exit, 1);
  EXPECT_THAT(refused.err, HasSubstr("no verdict"));
  // With a report and a policy it gets one.
  ASSERT_TRUE(WriteFileAtomic(JoinPath(world_, "tale.txt"), "Once upon a time, there was a dog.\n").ok());
  ASSERT_TRUE(WriteFileAtomic(JoinPath(world_, "policy.txtpb"), "check { metric: \"loss\" max: 9 }\n").ok());
  ASSERT_EQ(Run({"convert", "--input", Fixture("weights/stories260K.bin"), "--tokenizer", "model", "--output",
                 "deep/in/judged"})
                .exit,
            0);
  ASSERT_EQ(Run({"eval", "--model_name", "deep/in/judged", "--test_file", "tale.txt"}).exit, 0);
  EXPECT_EQ(Run({"gate", "--model_name", "deep/in/judged", "--policy", "policy.txtpb"}).exit, 0);
  EXPECT_EQ(Run({"verify", "deep/in/judged"}).exit, 0);
  EXPECT_EQ(*ReadFile(JoinPath(world_, "deep/in/judged/model.safetensors")),
            *ReadFile(JoinPath(world_, "model/model.safetensors")));
}

TEST_F(StoriesTest, TokenizerFileAndFolderAgree) {
  const std::string text = "Lily's mom said, \"Let's go!\"  \xE2\x82\xAC 5\n";
  std::string ids;
  for (const std::string& tokenizer : {Fixture("weights/tok512.bin"), std::string("model")}) {
    const RunResult encoded = Run({"tokenizer", "encode", "--tokenizer", tokenizer}, text);
    ASSERT_EQ(encoded.exit, 0) << encoded.err;
    if (ids.empty()) ids = encoded.out;
    EXPECT_EQ(encoded.out, ids);
    EXPECT_EQ(Run({"tokenizer", "decode", "--tokenizer", tokenizer}, ids).out, text);
  }
  EXPECT_THAT(Run({"tokenizer", "inspect", "--tokenizer", Fixture("weights/tok512.bin")}).out,
              HasSubstr("vocab_size   512\n"));
}

TEST_F(StoriesTest, WhatIsNotACheckpointIsRefusedAndLeavesNothing) {
  const std::pair<const char*, const char*> kInputs[] = {
      {"weights/gpt_by_hand_ckpt.pt", "is a PyTorch checkpoint, which holds pickles"},
      {"weights/tt_tiny_state_dict_one_key.pt", "is a PyTorch checkpoint, which holds pickles"},
      {"tokenizer/gguf/ggml-vocab-gpt-2.gguf", "(GGUF) to refused (model folder) is not supported"},
      {"weights/tiny_random_gpt2.safetensors", "as a checkpoint of llama2.c"},
      {"weights/tiny_random_gpt2_fp32.onnx", "as a checkpoint of llama2.c"},
      {"weights/tok512.bin", "as a checkpoint of llama2.c"},
      {"corpora/shakespeare_char_train.bin", "as a checkpoint of llama2.c"},
      {"weights", "(model folder) to refused (model folder) is not supported"},
      {"weights/nothing.bin", "No such file"},
  };
  const Strings before = *ListFolder(world_);
  const auto refused = [&](Strings args, int exit, const std::string& why) {
    args.insert(args.begin(), "convert");
    const RunResult result = Run(args);
    EXPECT_EQ(result.exit, exit) << args[2] << ": " << result.err;
    EXPECT_THAT(result.err, HasSubstr(why)) << args[2];
    EXPECT_EQ(result.out, "") << args[2];
    EXPECT_EQ(*ListFolder(world_), before) << args[2];
  };
  for (const auto& input : kInputs) refused({"--input", Fixture(input.first), "--output", "refused"}, 3, input.second);
  const std::string stories = Fixture("weights/stories260K.bin");
  refused({"--input", stories, "--output", "refused", "--tokenizer", Fixture("tokenizer/llama2/tokenizer.bin")}, 3,
          "do not belong together");
  refused({"--input", stories, "--output", "refused", "--tokenizer", stories}, 3, "tokenizer file of llama2.c");
  refused({"--input", stories, "--output", "model"}, 3, "exists and is not empty");
  refused({"--input", stories, "--output", "x.gguf"}, 3, "(llama2.c .bin) to x.gguf (GGUF) is not supported");
  refused({"--input", "model", "--output", "x.bin"}, 3, "(model folder) to x.bin (llama2.c .bin) is not supported");
  refused({"--input", stories, "--output", "x", "--type", "q8_0"}, 2, "unknown flag --type");
  for (const auto& input : {kInputs[0], kInputs[2]}) {
    const RunResult scored = Run({"score", "--model_name", Fixture(input.first), "--ids", "1"});
    EXPECT_EQ(scored.exit, 3);
    EXPECT_THAT(scored.err, HasSubstr("model folder"));
  }
}

}  // namespace
}  // namespace quern
