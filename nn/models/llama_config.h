// Sizes of Llama-shaped models: what is valid, and config.json with model_type "llama", "mistral" or "qwen2".
#ifndef QUERN_NN_MODELS_LLAMA_CONFIG_H_
#define QUERN_NN_MODELS_LLAMA_CONFIG_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "nn/model_config.pb.h"

namespace quern {

inline int64_t LlamaKvHeads(const LlamaConfig& c) {
  return c.num_key_value_heads() > 0 ? c.num_key_value_heads() : c.num_attention_heads();
}
inline int64_t LlamaHeadDim(const LlamaConfig& c) {
  return c.head_dim() > 0 ? c.head_dim() : c.hidden_size() / c.num_attention_heads();
}
// What a Llama of a valid config visits, in elements.
int64_t LlamaParameterCount(const ModelConfig& config);

// InvalidArgument names the field that does not fit.
absl::Status ValidateLlama(const ModelConfig& config);

// Absent fields take the defaults of transformers' LlamaConfig, MistralConfig or Qwen2Config. Rotary parameters are
// read from rope_parameters (transformers 5) or rope_theta and rope_scaling (4). What changes the maths and is not done
// here is InvalidArgument by name: a sliding window shorter than the context, rope types other than default, linear and
// llama3, partial rotation, other activations.
absl::StatusOr<ModelConfig> LlamaFromJson(const Json& json);
// Rotary parameters as transformers 4 writes them, which 5 reads too.
Json LlamaToJson(const ModelConfig& config);

}  // namespace quern

#endif  // QUERN_NN_MODELS_LLAMA_CONFIG_H_
