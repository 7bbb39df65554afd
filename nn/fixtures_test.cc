// A GPT-2 that others made, with greedy continuations that others published.
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "gtest/gtest.h"
#include "nn/decode/decoder.h"
#include "nn/model_folder.h"

namespace quern {
namespace {

TEST(FixturesTest, TinyRandomGpt2ContinuesAsPublished) {
  if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
  std::string weights = JoinPath(FixturesFolder(), "weights/tiny_random_gpt2.safetensors");
  std::string folder = JoinPath(testing::TempDir(), "tiny_random_gpt2");
  ASSERT_TRUE(MakeFolders(folder).ok());
  // The shape, as the model's publishers describe it; all else is GPT2Config's default.
  ASSERT_TRUE(
      WriteFileAtomic(
          JoinPath(folder, "config.json"),
          R"({"model_type": "gpt2", "vocab_size": 1000, "n_positions": 512, "n_embd": 32, "n_layer": 5, "n_head": 4,
                                  "bos_token_id": 98, "eos_token_id": 98})")
          .ok());
  absl::StatusOr<std::string> bytes = ReadFile(weights);
  ASSERT_TRUE(bytes.ok()) << bytes.status().ToString();
  ASSERT_TRUE(WriteFileAtomic(JoinPath(folder, "model.safetensors"), *bytes).ok());
  absl::StatusOr<std::unique_ptr<LanguageModel>> model = LoadModel(folder);
  ASSERT_TRUE(model.ok()) << model.status().ToString();
  EXPECT_EQ((*model)->CountParameters(), 111'968);

  absl::StatusOr<Json> expected = ReadJsonFile(JoinPath(FixturesFolder(), "weights/tiny_random_gpt2.expected.json"));
  ASSERT_TRUE(expected.ok());
  ASSERT_FALSE((*expected)["greedy"].empty());
  for (const Json& known : (*expected)["greedy"]) {
    std::vector<int32_t> prompt = known["prompt"], output = known["output"];
    DecodeRequest request{.prompt = prompt, .max_new_tokens = static_cast<int32_t>(output.size() - prompt.size())};
    absl::StatusOr<GenerateResult> result = Generate(model->get(), request);
    ASSERT_TRUE(result.ok());
    EXPECT_EQ(result->tokens, std::vector<int32_t>(output.begin() + static_cast<int64_t>(prompt.size()), output.end()));
  }
}

}  // namespace
}  // namespace quern
