// config.json: both generations of transformers, what absent fields mean, what is refused, and hostile values in every
// field.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nn/model_folder.h"
#include "nn/testing.h"

namespace quern {
namespace {

using testing::HasSubstr;

ModelConfig Read(const std::string& text) {
  absl::StatusOr<ModelConfig> config = ModelConfigFromJson(*ParseJson(text, "test"));
  EXPECT_TRUE(config.ok()) << config.status().ToString();
  return config.ok() ? *config : ModelConfig();
}

std::string Error(const std::string& text) {
  absl::StatusOr<ModelConfig> config = ModelConfigFromJson(*ParseJson(text, "test"));
  if (config.ok()) return "accepted";
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

TEST(ConfigJsonTest, Gpt2Defaults) {
  ModelConfig config = Read(R"({"model_type": "gpt2"})");
  const Gpt2Config& c = config.gpt2();
  EXPECT_EQ(c.vocab_size(), 50257);
  EXPECT_EQ(c.n_layer(), 12);
  EXPECT_EQ(c.eos_token_id(), 50256);
  EXPECT_TRUE(c.tie_word_embeddings());
  EXPECT_DOUBLE_EQ(c.resid_pdrop(), 0.1);
  ModelConfig small = Read(
      R"({"model_type": "gpt2", "vocab_size": 100, "hidden_size": 64, "num_hidden_layers": 3, "n_head": 4, "n_inner": null,
                               "activation_function": "gelu_pytorch_tanh"})");
  EXPECT_EQ(small.gpt2().n_embd(), 64);
  EXPECT_EQ(small.gpt2().n_layer(), 3);
  EXPECT_EQ(small.gpt2().eos_token_id(), -1);  // 50256 is not in the vocabulary
  EXPECT_EQ(small.gpt2().activation_function(), "gelu_new");
  EXPECT_EQ(Read(R"({"model_type": "gpt2", "activation_function": "gelu"})").gpt2().activation_function(), "gelu");
  EXPECT_EQ(Read(R"({"model_type": "gpt2", "eos_token_id": null})").gpt2().eos_token_id(), -1);
}

TEST(ConfigJsonTest, BothGenerationsOfRope) {
  std::string old_style = R"({"model_type": "llama", "rope_theta": 500000.0, "torch_dtype": "bfloat16", "rope_scaling":
      {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3"}})";
  std::string new_style = R"({"model_type": "llama", "dtype": "bfloat16", "rope_parameters":
      {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0, "original_max_position_embeddings": 8192, "rope_type": "llama3",
       "rope_theta": 500000.0}})";
  ModelConfig a = Read(old_style), b = Read(new_style);
  EXPECT_EQ(a.SerializeAsString(), b.SerializeAsString());
  EXPECT_EQ(a.llama().rope_theta(), 500000);
  EXPECT_EQ(a.llama().rope_scaling().factor(), 32);
  EXPECT_EQ(Read(R"({"model_type": "llama", "rope_scaling": {"type": "linear", "factor": 2}})")
                .llama()
                .rope_scaling()
                .rope_type(),
            "linear");
  EXPECT_EQ(Read(R"({"model_type": "llama", "rope_parameters": {"rope_type": "default", "rope_theta": 7}})")
                .llama()
                .rope_theta(),
            7);
  EXPECT_EQ(Read(R"({"model_type": "llama"})").llama().rope_theta(), 10000);
}

TEST(ConfigJsonTest, FamiliesDifferInWhatAbsentMeans) {
  EXPECT_EQ(Read(R"({"model_type": "llama"})").llama().num_key_value_heads(), 0);
  EXPECT_EQ(Read(R"({"model_type": "mistral", "sliding_window": null})").llama().num_key_value_heads(), 8);
  EXPECT_EQ(Read(R"({"model_type": "mistral", "sliding_window": null, "num_key_value_heads": null})")
                .llama()
                .num_key_value_heads(),
            0);
  EXPECT_EQ(Read(R"({"model_type": "qwen2"})").llama().num_key_value_heads(), 32);
  EXPECT_TRUE(Read(R"({"model_type": "qwen2"})").llama().attention_bias());
  EXPECT_TRUE(Read(R"({"model_type": "llama", "attention_bias": true})").llama().attention_bias());
  EXPECT_EQ(Read(R"({"model_type": "llama"})").llama().eos_token_id(), 2);
  EXPECT_EQ(Read(R"({"model_type": "qwen2"})").llama().eos_token_id(), -1);
}

TEST(ConfigJsonTest, SeveralEndsOfText) {
  ModelConfig config =
      Read(R"({"model_type": "llama", "vocab_size": 128256, "eos_token_id": [128001, 128008, 128009]})");
  EXPECT_EQ(config.llama().eos_token_id(), 128001);
  EXPECT_EQ(config.llama().more_eos_token_ids_size(), 2);
  EXPECT_EQ(ModelConfigToJson(config)["eos_token_id"], (Json{128001, 128008, 128009}));
}

TEST(ConfigJsonTest, WindowsThatCoverTheContextAreNone) {
  Read(R"({"model_type": "mistral", "sliding_window": null})");
  Read(R"({"model_type": "mistral", "sliding_window": 4096, "max_position_embeddings": 4096})");
  Read(R"({"model_type": "qwen2", "use_sliding_window": false, "sliding_window": 131072, "max_window_layers": 28})");
  Read(
      R"({"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 100, "max_window_layers": 32, "num_hidden_layers": 32})");
  Read(
      R"({"model_type": "qwen2", "layer_types": ["full_attention"], "use_sliding_window": true, "sliding_window": 100})");
  EXPECT_THAT(Error(R"({"model_type": "mistral"})"), HasSubstr("sliding_window 4096 is in use"));
  EXPECT_THAT(Error(R"({"model_type": "mistral", "sliding_window": 4096, "max_position_embeddings": 32768})"),
              HasSubstr("sliding_window"));
  EXPECT_THAT(Error(R"({"model_type": "qwen2", "use_sliding_window": true, "max_window_layers": 21})"),
              HasSubstr("sliding_window"));
  EXPECT_THAT(
      Error(
          R"({"model_type": "qwen2", "use_sliding_window": true, "layer_types": ["full_attention", "sliding_attention"]})"),
      HasSubstr("sliding_window"));
}

TEST(ConfigJsonTest, OtherMathsIsRefusedByName) {
  EXPECT_THAT(Error(R"({"model_type": "gpt2", "scale_attn_by_inverse_layer_idx": true})"),
              HasSubstr("scale_attn_by_inverse_layer_idx"));
  EXPECT_THAT(Error(R"({"model_type": "gpt2", "scale_attn_weights": false})"), HasSubstr("scale_attn_weights"));
  EXPECT_THAT(Error(R"({"model_type": "gpt2", "add_cross_attention": true})"), HasSubstr("add_cross_attention"));
  EXPECT_THAT(Error(R"({"model_type": "gpt2", "activation_function": "relu"})"),
              HasSubstr("activation_function \"relu\""));
  EXPECT_THAT(Error(R"({"model_type": "llama", "hidden_act": "gelu"})"), HasSubstr("hidden_act"));
  EXPECT_THAT(Error(R"({"model_type": "llama", "partial_rotary_factor": 0.5})"), HasSubstr("partial_rotary_factor"));
  EXPECT_THAT(Error(R"({"model_type": "llama", "rope_scaling": {"rope_type": "yarn", "factor": 4}})"),
              HasSubstr("rope_type \"yarn\""));
  EXPECT_THAT(Error(R"({"model_type": "llama", "rope_scaling": {"type": "dynamic", "factor": 4}})"),
              HasSubstr("rope_type \"dynamic\""));
  EXPECT_THAT(Error(R"({"model_type": "llama", "rope_scaling": {"rope_type": "llama3", "factor": 4}})"),
              HasSubstr("low_freq_factor"));
  EXPECT_THAT(Error(R"({"model_type": "llama", "rope_parameters": {"full_attention": {"rope_theta": 1}}})"),
              HasSubstr("per layer type"));
  EXPECT_THAT(Error(R"({"model_type": "llama", "quantization_config": {"bits": 4}})"),
              HasSubstr("quantization_config"));
  EXPECT_THAT(Error(R"({"model_type": "bert"})"),
              HasSubstr("model_type \"bert\" is not implemented; those that are: gpt2, llama, mistral, qwen2"));
  EXPECT_THAT(Error(R"({"model_type": "lama"})"), HasSubstr("Did you mean \"llama\"?"));
  EXPECT_THAT(Error(R"({})"), HasSubstr("model_type"));
  EXPECT_THAT(Error(R"([])"), HasSubstr("object"));
}

// Any value in any field is accepted or refused; nothing crashes, and what is accepted is valid.
TEST(ConfigJsonTest, HostileValues) {
  const std::vector<Json> values = {nullptr,
                                    true,
                                    -1,
                                    0,
                                    1,
                                    7,
                                    1e308,
                                    -1e308,
                                    0.5,
                                    2147483647,
                                    2147483648.0,
                                    int64_t{1} << 62,
                                    "x",
                                    "",
                                    Json::array(),
                                    {1, "a"},
                                    {nullptr},
                                    Json::object(),
                                    {{"rope_type", 3}},
                                    {{"rope_type", "llama3"}, {"factor", 0}}};
  int accepted = 0, refused = 0;
  for (const NamedConfig& named : SmallConfigs()) {
    Json whole = ModelConfigToJson(named.config);
    for (const char* extra : {"rope_parameters", "sliding_window", "layer_types", "n_inner", "hidden_size",
                              "use_sliding_window", "partial_rotary_factor"}) {
      if (!whole.contains(extra)) whole[extra] = nullptr;
    }
    for (const auto& [field, unused] : whole.items()) {
      for (const Json& value : values) {
        Json changed = whole;
        changed[field] = value;
        absl::StatusOr<ModelConfig> config = ModelConfigFromJson(changed);
        if (config.ok()) {
          ++accepted;
          Json again = ModelConfigToJson(*config);
          EXPECT_EQ(ModelConfigToJson(*ModelConfigFromJson(again)), again) << field << " " << value;
        } else {
          ++refused;
          EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument)
              << field << " " << value << ": " << config.status().ToString();
        }
      }
    }
  }
  EXPECT_GT(accepted, 500);
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace quern
