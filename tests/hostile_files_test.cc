// Malformed and foreign files that others made, through the commands that a user would give them to: each is refused
// with its own message, exit status 3, and nothing is left behind.
#include <algorithm>
#include <filesystem>

#include "base/file.h"
#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli_run.h"

namespace quern {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;
using Strings = std::vector<std::string>;

class HostileFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    fixtures_ = FixturesFolder();
    if (fixtures_.empty()) GTEST_SKIP() << kNoFixtures;
    world_ = JoinPath(::testing::TempDir(), "hostile_files");
    ASSERT_TRUE(RemoveAll(world_).ok() && MakeFolders(world_).ok());
  }

  // What is said on stderr, without "error: ".
  std::string Refused(const Strings& args) {
    const RunResult result = RunCli(args, {.folder = world_});
    std::string line = "quern";
    for (const std::string& arg : args) line += " " + arg;
    EXPECT_EQ(result.exit, 3) << line << "\n" << result.err;
    EXPECT_EQ(result.out, "") << line;
    const size_t error = result.err.find("error: ");
    EXPECT_NE(error, std::string::npos) << line << "\n" << result.err;
    const std::string message = error == std::string::npos ? "" : result.err.substr(error + 7);
    EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 1) << line << "\n" << message;
    EXPECT_TRUE(std::all_of(message.begin(), message.end(), [](unsigned char c) { return c >= 0x20 || c == '\n'; }))
        << line << "\n"
        << message;
    return message;
  }

  Strings FilesWithEnding(const std::string& folder, const std::string& ending) const {
    Strings paths;
    for (const auto& entry : fs::recursive_directory_iterator(JoinPath(fixtures_, folder))) {
      if (entry.path().extension() == ending) paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  std::string fixtures_, world_;
};

TEST_F(HostileFilesTest, JsonAsTokenizerAndAsCorpus) {
  const Strings paths = FilesWithEnding("negative/json", ".json");
  ASSERT_EQ(paths.size(), 318u);
  for (const std::string& path : paths) {
    EXPECT_THAT(Refused({"tokenizer", "inspect", "--tokenizer", path}), StartsWith(path));
    EXPECT_THAT(Refused({"prepare", "--input_file", path, "--format", "jsonl", "--output_dir", "new"}),
                StartsWith(path));
  }
  EXPECT_TRUE(FilesBelow(world_).empty());
}

TEST_F(HostileFilesTest, JsonInAModelFolder) {
  const std::string config = JoinPath(world_, "model/config.json");
  ASSERT_TRUE(MakeFolders(Dirname(config)).ok());
  for (const std::string& path : FilesWithEnding("negative/json", ".json")) {
    ASSERT_TRUE(WriteFileAtomic(config, ReadFile(path).value()).ok());
    EXPECT_THAT(Refused({"score", "--model_name", "model", "--ids", "1,2"}), StartsWith("model/config.json")) << path;
  }
}

TEST_F(HostileFilesTest, Pickles) {
  const Strings paths = FilesWithEnding("", ".pt");
  ASSERT_GE(paths.size(), 3u);
  const auto pickle = AllOf(HasSubstr("a PyTorch checkpoint, which holds pickles"), HasSubstr("never read"),
                            HasSubstr("safetensors.torch.save_file"));
  for (const std::string& path : paths) {
    EXPECT_THAT(Refused({"generate", "--model_name", path, "--prompt", "x"}), AllOf(StartsWith(path), pickle));
    EXPECT_THAT(Refused({"tokenizer", "inspect", "--tokenizer", path}), AllOf(StartsWith(path), pickle));
  }
  // A folder as many are: without safetensors.
  const std::string folder = JoinPath(world_, "model");
  ASSERT_TRUE(MakeFolders(folder).ok());
  ASSERT_TRUE(WriteFileAtomic(JoinPath(folder, "config.json"),
                              R"({"model_type": "gpt2", "vocab_size": 8, "n_embd": 4, "n_head": 1, "n_layer": 1})")
                  .ok());
  fs::create_symlink(paths[0], JoinPath(folder, "pytorch_model.bin"));
  EXPECT_THAT(Refused({"score", "--model_name", "model", "--ids", "1,2"}),
              AllOf(StartsWith("model: "), HasSubstr("pytorch_model.bin is"), pickle));
}

TEST_F(HostileFilesTest, Gguf) {
  Strings paths = FilesWithEnding("negative/gguf", ".gguf");
  ASSERT_EQ(paths.size(), 1u);
  EXPECT_THAT(Refused({"tokenizer", "inspect", "--tokenizer", paths[0]}), HasSubstr("magic number reversed"));
  for (const std::string& path : FilesWithEnding("tokenizer/gguf", ".gguf")) paths.push_back(path);
  for (const std::string& path : paths) {
    EXPECT_THAT(Refused({"generate", "--model_name", path, "--prompt", "x"}),
                AllOf(StartsWith(path), HasSubstr("a GGUF file"), HasSubstr("Supported are")));
    EXPECT_THAT(Refused({"tokenizer", "inspect", "--tokenizer", path}),
                AllOf(StartsWith(path), HasSubstr("a GGUF file"), HasSubstr("Supported are")));
  }
}

}  // namespace
}  // namespace quern
