#include "tests/cli_arc.h"

#include "base/file.h"
#include "base/rng.h"
#include "gtest/gtest.h"
#include "tests/cli_run.h"

namespace quern {
namespace {

void Succeeds(const std::vector<std::string>& args, const std::string& folder) {
  const RunResult result = RunCli(args, {.folder = folder});
  ASSERT_EQ(result.exit, 0) << args[0] << "\n" << result.out << result.err;
}

}  // namespace

std::string TinyText(int lines) {
  const char* const who[] = {"the miller", "a river", "his daughter", "the old horse", "every stone", "the wind"};
  const char* const does[] = {"turns", "hears", "carries", "forgets", "follows", "grinds"};
  const char* const what[] = {"the wheat", "a song", "the road home", "seven sacks", "the moon", "its own shadow"};
  std::string text;
  for (int i = 0; i < lines; ++i) {
    const Philox4 words = RandomWords({1, RngStream::kTest}, 0, 0, static_cast<uint64_t>(i));
    text += std::string(who[words[0] % 6]) + " " + does[words[1] % 6] + " " + what[words[2] % 6] + " at hour " +
            std::to_string(words[3] % 1000) + ".\n";
  }
  return text;
}

std::vector<std::string> TinyTrainFlags(const std::string& output_dir, int steps) {
  return {"train",
          "--train_file=data/train.txt",
          "--validation_file=data/validation.txt",
          "--tokenizer=data/tokenizer.json",
          "--output_dir=" + output_dir,
          "--max_steps=" + std::to_string(steps),
          "--batch_size=2",
          "--block_size=32",
          "--eval_batches=2",
          "--set=model.gpt2.n_layer=1",
          "--set=model.gpt2.n_head=2",
          "--set=model.gpt2.n_embd=16"};
}

void MakeTinyArc(const std::string& folder) {
  ASSERT_TRUE(MakeFolders(folder).ok());
  ASSERT_TRUE(WriteFileAtomic(JoinPath(folder, "book.txt"), TinyText(600)).ok());
  ASSERT_TRUE(WriteFileAtomic(JoinPath(folder, "policy.txtpb"),
                              "check { metric: \"loss\" max: 20 }\ncheck { metric: \"bits_per_byte\" max: 20 }\n")
                  .ok());
  Succeeds({"prepare", "--input_file", "book.txt", "--output_dir", "data", "--dedupe"}, folder);
  Succeeds({"tokenizer", "train", "--input_file", "data/train.txt", "--vocab_size", "300", "--output_file",
            "data/tokenizer.json"},
           folder);
  Succeeds(TinyTrainFlags("model", 4), folder);
  Succeeds({"eval", "--model_name", "model", "--test_file", "data/test.txt"}, folder);
  Succeeds({"gate", "--model_name", "model", "--policy", "policy.txtpb"}, folder);
}

}  // namespace quern
