// The table of architectures: one row each. Adding a model is one file set here and one row in models.cc.
#ifndef QUERN_NN_MODELS_MODELS_H_
#define QUERN_NN_MODELS_MODELS_H_

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "nn/language_model.h"

namespace quern {

struct Architecture {
  std::string_view name;
  ModelConfig::ArchitectureCase which;
  std::vector<std::string_view> model_types;  // of config.json
  std::string_view prefix;                    // of tensor names in a whole model; a file of the bare model goes without
  std::string_view mark;                      // a tensor name, without the prefix, that only this architecture has
  std::vector<std::string_view> buffers;      // endings of tensors that files may hold and nobody needs

  absl::Status (*validate)(const ModelConfig&);
  int64_t (*parameter_count)(const ModelConfig&);
  std::unique_ptr<LanguageModel> (*make)(const ModelConfig&);  // of a valid config; its parameters are skeletons
  absl::StatusOr<ModelConfig> (*from_json)(const Json&);
  Json (*to_json)(const ModelConfig&);
};

std::span<const Architecture> Architectures();
// "gpt2, llama, mistral, qwen2".
std::string KnownModelTypes();

// InvalidArgument when the config has no architecture or does not fit it.
absl::StatusOr<const Architecture*> ValidArchitecture(const ModelConfig& config);

}  // namespace quern

#endif  // QUERN_NN_MODELS_MODELS_H_
