// Bad input: each with a clear message, the pinned exit status, and nothing half-written.
#include <signal.h>
#include <sys/socket.h>

#include <filesystem>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli_arc.h"
#include "tests/cli_run.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using Strings = std::vector<std::string>;

class CliRefusalsTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = JoinPath(::testing::TempDir(), "refusals");
    MakeTinyArc(world_);
    Write("empty.txt", "");
    Write("binary.txt", std::string("text \0 and more", 15));
    Write("blank.txt", "\n \n\t\n");
    Write("broken.jsonl", "{\"text\": \"a\"}\n{\"text\": \n");
  }

  static std::string Path(const std::string& name) { return JoinPath(world_, name); }
  static void Write(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(MakeFolders(Dirname(Path(name))).ok());
    ASSERT_TRUE(WriteFileAtomic(Path(name), bytes).ok());
  }
  // A copy of the model folder with one file replaced.
  static std::string Spoilt(const std::string& name, const std::string& file, const std::string& bytes) {
    fs::copy(Path("model"), Path(name), fs::copy_options::recursive);
    Write(JoinPath(name, file), bytes);
    return name;
  }

  // Exits with `status`, says `message` on stderr, prints nothing, and leaves every file as it was.
  static void Refuses(const Strings& args, int status, const std::string& message, RunOptions options = {}) {
    options.folder = world_;
    const auto before = FilesBelow(world_);
    const RunResult result = RunCli(args, options);
    std::string line = "quern";
    for (const std::string& arg : args) line += " " + arg;
    EXPECT_EQ(result.exit, status) << line << "\n" << result.err;
    EXPECT_THAT(result.err, HasSubstr(message)) << line;
    EXPECT_EQ(result.out, "") << line;
    EXPECT_EQ(FilesBelow(world_) == before, true) << line;
  }

  static std::string world_;
};

std::string CliRefusalsTest::world_;

TEST_F(CliRefusalsTest, CommandLines) {
  Refuses({"preprae"}, 2, "Did you mean \"prepare\"?");
  Refuses({"tokenizer"}, 2, "quern tokenizer --help");
  Refuses({"tokenizer", "trian"}, 2, "Did you mean \"tokenizer train\"?");
  Refuses({"prepare"}, 2, "--input_file F, --output_dir D are missing");
  Refuses({"prepare", "--inptu-file", "x"}, 2, "Did you mean --input_file?");
  Refuses({"prepare", "--input_file", "book.txt", "--output_dir", "new", "more"}, 2, "unexpected argument \"more\"");
  Refuses({"train", "--learnin_rate", "1"}, 2, "Did you mean --learning_rate?");
  Refuses({"train", "--learning_rate", "fast"}, 2, "--learning_rate takes a number; got \"fast\"");
  Refuses({"train", "--set", "model.gpt2.n_hed=2"}, 2, "Did you mean \"n_head\"?");
  Refuses({"serve", "--model_name", "model", "--prot", "1"}, 2, "Did you mean --port?");
  Refuses({"serve", "--model_name", "model", "--port", "eighty"}, 2, "port");
  Refuses({"generate", "--model_name", "model"}, 2, "--prompt");
  Refuses({"generate", "--model_name", "model", "--prompt", "x", "--temperature", "-1"}, 2, "--temperature");
  Refuses({"score", "--model_name", "model", "--ids", "1,x"}, 2, "--ids takes token ids");
  Refuses({"eval"}, 2, "test_file");
  Refuses({"gate", "--model_name", "model"}, 2, "--policy F is missing");
  Refuses({"verify"}, 2, "M is missing");
  Refuses({"verify", "model", "--isa", "avx5"}, 2, "avx");
  // They belong to later issues.
  Refuses({"prepare", "--near_duplicates", "drop"}, 2, "unknown flag --near_duplicates");
  Refuses({"train", "--dry_run"}, 2, "unknown flag --dry_run");
}

TEST_F(CliRefusalsTest, Ratios) {
  const Strings prepare = {"prepare", "--input_file", "book.txt", "--output_dir", "new"};
  const auto with = [&](const Strings& more) {
    Strings args = prepare;
    args.insert(args.end(), more.begin(), more.end());
    return args;
  };
  Refuses(with({"--train_ratio", "0.5"}), 2, "add up to 1; got 0.5 + 0.1 + 0.1 = 0.7");
  Refuses(with({"--train_ratio", "1.2", "--val_ratio", "-0.2", "--test_ratio", "0"}), 2, "from 0 to 1");
  Refuses(with({"--train_ratio", "nan"}), 2, "--train_ratio");
}

TEST_F(CliRefusalsTest, InputFiles) {
  const struct {
    const char* file;
    const char* message;
  } inputs[] = {{"nowhere.txt", "nowhere.txt: No such file"},
                {"bok.txt", "book.txt"},
                {"empty.txt", "empty"},
                {"binary.txt", "NUL byte"},
                {"blank.txt", "no text"},
                {"broken.jsonl", "line 2"}};
  for (const auto& input : inputs) {
    Refuses({"prepare", "--input_file", input.file, "--output_dir", "new"}, 3, input.message);
  }
  for (const char* file : {"nowhere.txt", "empty.txt", "binary.txt", "broken.jsonl"}) {
    Refuses({"tokenizer", "train", "--input_file", file, "--vocab_size", "300", "--output_file", "new.json"}, 3, file);
    Strings train = TinyTrainFlags("new", 2);
    train[1] = std::string("--train_file=") + file;
    Refuses(train, 3, file);
  }
  for (const char* file : {"nowhere.txt", "empty.txt"}) {
    Refuses({"eval", "--model_name", "model", "--test_file", file, "--output_file", "new.json"}, 3, file);
    Refuses({"score", "--model_name", "model", "--text_file", file}, 3, file);
  }
  // The input is never written over.
  Refuses({"tokenizer", "train", "--input_file", "book.txt", "--vocab_size", "300", "--output_file", "book.txt"}, 2,
          "book.txt");
}

TEST_F(CliRefusalsTest, FullDisk) {
  if (!kFileLimitsWork) GTEST_SKIP() << "ThreadSanitizer does not start under a limit on the size of files";
  RunOptions full;
  full.max_file_bytes = 4096;
  Refuses({"prepare", "--input_file", "book.txt", "--output_dir", "new"}, 4, "File too large", full);
  Refuses({"tokenizer", "train", "--input_file", "book.txt", "--vocab_size", "300", "--output_file", "new.json"}, 4,
          "new.json", full);
}

TEST_F(CliRefusalsTest, FullDiskWhileTrainingLeavesNothingTorn) {
  if (!kFileLimitsWork) GTEST_SKIP() << "ThreadSanitizer does not start under a limit on the size of files";
  RunOptions full{.folder = world_};
  full.max_file_bytes = 16384;
  const RunResult result = RunCli(TinyTrainFlags("torn", 4), full);
  EXPECT_EQ(result.exit, 4) << result.err;
  EXPECT_THAT(result.err, HasSubstr("torn/"));
  for (const auto& [name, bytes] : FilesBelow(Path("torn"))) {
    EXPECT_EQ(name.find("tmp"), std::string::npos) << name;
    EXPECT_EQ(name.find("checkpoints/step"), std::string::npos) << name;
    EXPECT_NE(name, "model.safetensors");
  }
}

TEST_F(CliRefusalsTest, SettingsOfTheServer) {
  Write("served/.env", "PORT=ninety\n");
  RunOptions options{.folder = Path("served")};
  const Strings serve = {"serve", "--model_name", "../model"};
  RunResult result = RunCli(serve, options);
  EXPECT_EQ(result.exit, 2);
  EXPECT_THAT(result.err, HasSubstr(".env PORT): \"ninety\" is not"));
  // The environment counts more than .env, and a flag more than both.
  options.environment["PORT"] = "eighty";
  result = RunCli(serve, options);
  EXPECT_EQ(result.exit, 2);
  EXPECT_THAT(result.err, HasSubstr("environment PORT): \"eighty\" is not"));
  result = RunCli({"serve", "--model_name", "../nowhere", "--port", "0"}, options);
  EXPECT_EQ(result.exit, 3);
  EXPECT_THAT(result.err, HasSubstr("flag --port"));
}

TEST_F(CliRefusalsTest, ConfigFiles) {
  Write("misspelt.txtpb", "max_steps: 5\nlearnin_rate: 1e-3\n");
  Write("torn.txtpb", "max_steps: 5\nmodel { gpt2 {\n");
  Write("type.txtpb", "max_steps: \"five\"\n");
  Refuses({"train", "--config", "misspelt.txtpb"}, 3,
          "misspelt.txtpb:2:13: there is no field \"learnin_rate\". Did you mean \"learning_rate\"?");
  Refuses({"train", "--config", "torn.txtpb"}, 3, "torn.txtpb:3:1: ");
  Refuses({"train", "--config", "type.txtpb"}, 3, "type.txtpb:1:12: ");
  Refuses({"train", "--config", "nowhere.txtpb"}, 3, "nowhere.txtpb");
  Write("policy_misspelt.txtpb", "check { metrik: \"loss\" max: 1 }");
  Refuses({"gate", "--model_name", "model", "--policy", "policy_misspelt.txtpb"}, 3, "metric");
}

TEST_F(CliRefusalsTest, ModelFolders) {
  const std::string weights = *ReadFile(Path("model/model.safetensors"));
  std::string huge_header = weights;
  huge_header.replace(0, 8, std::string(7, '\xff') + '\x7f');
  const std::string tokenizer = *ReadFile(Path("model/tokenizer.json"));
  const struct {
    std::string folder;
    const char* message;
  } folders[] = {
      {"nowhere", "config.json"},
      {"data", "config.json"},
      {Spoilt("cut_weights", "model.safetensors", weights.substr(0, weights.size() / 2)), "model.safetensors"},
      {Spoilt("tiny_weights", "model.safetensors", weights.substr(0, 5)), "model.safetensors"},
      {Spoilt("hostile_weights", "model.safetensors", huge_header), "model.safetensors"},
      {Spoilt("torn_config", "config.json", "{\"model_type\": \"gpt2\""), "config.json"},
      {Spoilt("other_config", "config.json", "{\"model_type\": \"gtp2\"}"), "gpt2"},
      {Spoilt("huge_config", "config.json", "{\"model_type\": \"gpt2\", \"n_embd\": 1e300}"), "n_embd"},
      {Spoilt("torn_tokenizer", "tokenizer.json", tokenizer.substr(0, tokenizer.size() / 2)), "tokenizer.json"},
      {Spoilt("deep_tokenizer", "tokenizer.json", std::string(100000, '[')), "tokenizer.json"},
  };
  for (const auto& folder : folders) {
    Refuses({"generate", "--model_name", folder.folder, "--prompt", "x"}, 3, folder.message);
    Refuses({"serve", "--model_name", folder.folder, "--port", "0", "--allow_unverified", "--quiet"}, 3, folder.folder);
  }
  // Without --allow_unverified the digests tell first.
  Refuses({"serve", "--model_name", "cut_weights", "--port", "0"}, 1, "model.safetensors");
  Refuses({"verify", "data"}, 3, "verdict.json");
}

TEST_F(CliRefusalsTest, UsedFoldersAndCheckpointsOfAnotherArchitecture) {
  Refuses(TinyTrainFlags("model", 6), 3, "--overwrite_output_dir");
  Strings other = TinyTrainFlags("model", 6);
  other.push_back("--set=model.gpt2.n_layer=2");
  other.push_back("--resume_from_checkpoint=auto");
  Refuses(other, 3, "");
  Strings named = TinyTrainFlags("new", 6);
  named.push_back("--resume_from_checkpoint=model/checkpoints/step-99999999");
  Refuses(named, 3, "step-99999999");
}

TEST_F(CliRefusalsTest, InterruptedPrepareLeavesNothing) {
  std::string text = TinyText(400000);
  Write("large.txt", text);
  const auto before = FilesBelow(world_);
  CliProcess prepare({"prepare", "--input_file", "large.txt", "--output_dir", "new"}, {.folder = world_});
  usleep(50000);
  prepare.Signal(SIGTERM);
  const RunResult result = prepare.Wait();
  EXPECT_EQ(result.exit, 143) << result.out << result.err;
  EXPECT_EQ(FilesBelow(world_) == before, true);
}

}  // namespace
}  // namespace quern
