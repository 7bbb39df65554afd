// What the tests of nn share: small random models and token sequences.
#ifndef QUERN_NN_TESTING_H_
#define QUERN_NN_TESTING_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "nn/language_model.h"

namespace quern {

// A config in protobuf text form.
ModelConfig ConfigOf(const std::string& text);

struct NamedConfig {
  std::string name;
  ModelConfig config;
};
// GPT-2 tied and not, without biases, with erf; Llama with grouped queries, tied and not; Mistral; Qwen2 with biases;
// scaled RoPE. All of width 48, 2 or 3 layers, vocabulary 97, 256 positions, weights wide enough that logits differ
// well.
std::vector<NamedConfig> SmallConfigs();

// Their names: what the suites over all models are instantiated with.
std::vector<std::string> SmallConfigNames();
// The one of that name.
ModelConfig SmallConfig(const std::string& name);
// The same architecture with another standard deviation of fresh weights (`initializer_range`); 0: the default.
ModelConfig WithInitializerRange(const ModelConfig& config, double range);

// SmallConfig(name) with random weights.
std::unique_ptr<LanguageModel> SmallModel(const std::string& name, uint64_t seed = 1);

std::vector<int32_t> RandomIds(int64_t count, int64_t vocab_size, uint64_t seed);

// Logits [T, V] of one sequence by the training forward.
Tensor TrainLogits(LanguageModel& model, const std::vector<int32_t>& ids);

}  // namespace quern

#endif  // QUERN_NN_TESTING_H_
