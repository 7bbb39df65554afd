#include "nn/testing.h"

#include "base/log.h"
#include "base/rng.h"
#include "google/protobuf/text_format.h"
#include "nn/models/common_fields.h"

namespace quern {

ModelConfig ConfigOf(const std::string& text) {
  ModelConfig config;
  CHECK(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

std::vector<NamedConfig> SmallConfigs() {
  const std::string gpt2 = "vocab_size: 97 n_positions: 256 n_embd: 48 n_head: 3 n_layer: 3 initializer_range: 0.25 ";
  const std::string llama =
      "vocab_size: 97 max_position_embeddings: 256 hidden_size: 48 intermediate_size: 80 num_hidden_layers: 2 "
      "num_attention_heads: 6 num_key_value_heads: 2 initializer_range: 0.25 ";
  return {
      {"gpt2", ConfigOf("gpt2 { " + gpt2 + "}")},
      {"gpt2_untied",
       ConfigOf("gpt2 { " + gpt2 + "tie_word_embeddings: false n_inner: 80 activation_function: 'gelu' }")},
      {"gpt2_no_bias", ConfigOf("gpt2 { " + gpt2 + "bias: false }")},
      {"llama", ConfigOf("llama { " + llama + "}")},
      {"llama_tied",
       ConfigOf("llama { " + llama + "tie_word_embeddings: true head_dim: 16 attention_bias: true mlp_bias: true }")},
      {"llama3", ConfigOf("llama { " + llama +
                          "rope_theta: 500000 rope_scaling { rope_type: 'llama3' factor: 8 low_freq_factor: 1 "
                          "high_freq_factor: 4 original_max_position_embeddings: 64 } }")},
      {"mistral",
       ConfigOf("llama { model_type: 'mistral' " + llama + "rope_scaling { rope_type: 'linear' factor: 2 } }")},
      {"qwen2", ConfigOf("llama { model_type: 'qwen2' attention_bias: true tie_word_embeddings: true " + llama + "}")},
  };
}

std::vector<std::string> SmallConfigNames() {
  std::vector<std::string> names;
  for (const NamedConfig& named : SmallConfigs()) names.push_back(named.name);
  return names;
}

ModelConfig SmallConfig(const std::string& name) {
  for (const NamedConfig& named : SmallConfigs()) {
    if (named.name == name) return named.config;
  }
  LOG(FATAL) << "SmallConfig: no \"" << name << "\"";
  return {};
}

ModelConfig WithInitializerRange(const ModelConfig& config, double range) {
  ModelConfig changed = config;
  SetInitializerRange(range, &changed);
  return changed;
}

std::unique_ptr<LanguageModel> SmallModel(const std::string& name, uint64_t seed) {
  return *MakeModel(SmallConfig(name), seed);
}

std::vector<int32_t> RandomIds(int64_t count, int64_t vocab_size, uint64_t seed) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    Philox4 words = RandomWords({seed, RngStream::kTest}, 0, 0, static_cast<uint64_t>(i));
    ids.push_back(static_cast<int32_t>(words[0] % static_cast<uint64_t>(vocab_size)));
  }
  return ids;
}

Tensor TrainLogits(LanguageModel& model, const std::vector<int32_t>& ids) {
  NoGrad no_grad;
  int64_t T = static_cast<int64_t>(ids.size());
  return model.Forward(Tensor::Of(ids, {T}), Sequences::Equal(1, T), {}).value();
}

}  // namespace quern
