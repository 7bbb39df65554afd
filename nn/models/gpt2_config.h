// GPT-2's sizes: what is valid, and config.json with model_type "gpt2".
#ifndef QUERN_NN_MODELS_GPT2_CONFIG_H_
#define QUERN_NN_MODELS_GPT2_CONFIG_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "nn/model_config.pb.h"

namespace quern {

// Width of the MLP: n_inner, or 4 n_embd.
inline int64_t Gpt2Inner(const Gpt2Config& c) { return c.n_inner() > 0 ? c.n_inner() : int64_t{4} * c.n_embd(); }
// What a Gpt2 of a valid config visits, in elements.
int64_t Gpt2ParameterCount(const ModelConfig& config);

// InvalidArgument names the field that does not fit.
absl::Status ValidateGpt2(const ModelConfig& config);

// Absent fields take the defaults of transformers' GPT2Config. What changes the maths and is not done here is
// InvalidArgument by name: scale_attn_weights false, scale_attn_by_inverse_layer_idx, add_cross_attention, other
// activations.
absl::StatusOr<ModelConfig> Gpt2FromJson(const Json& json);
Json Gpt2ToJson(const ModelConfig& config);

}  // namespace quern

#endif  // QUERN_NN_MODELS_GPT2_CONFIG_H_
