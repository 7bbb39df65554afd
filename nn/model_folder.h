// Model folders in Hugging Face layout: the only reader and the only writer of them.
//
//   config.json, model.safetensors (or shards with model.safetensors.index.json), generation_config.json
//   tokenizer.json is data/tokenizer's; README.md and quern/ are eval's and train's.
//
// Everything in the folder is hostile until checked: errors name file and field or tensor, all missing, unexpected and
// misshapen tensors at once, and suggest near names. transformers 4 (rope_theta, rope_scaling, torch_dtype) and 5
// (rope_parameters, dtype) are both read.
#ifndef QUERN_NN_MODEL_FOLDER_H_
#define QUERN_NN_MODEL_FOLDER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "nn/language_model.h"

namespace quern {

// config.json of the folder. NotFound says what a model folder holds. An architecture that is not ours is
// InvalidArgument with the list of those that are.
absl::StatusOr<ModelConfig> ReadModelConfig(const std::string& folder);
// From and to the text of config.json. The writing opens in Hugging Face transformers as it is.
absl::StatusOr<ModelConfig> ModelConfigFromJson(const Json& json);
Json ModelConfigToJson(const ModelConfig& config);

// Config and weights. bf16 and f16 weights are widened to f32. `folder` may not be written while this runs.
absl::StatusOr<std::unique_ptr<LanguageModel>> LoadModel(const std::string& folder);

// Loads the weights of a safetensors file (or sharded folder) into an existing model of the same architecture.
absl::Status LoadWeights(LanguageModel& model, const std::string& path);

// Writes the weights as `path` (safetensors, atomic): names in sorted order, so equal weights give equal bytes.
absl::Status SaveWeights(LanguageModel& model, const std::string& path);
// Writes config.json, generation_config.json and model.safetensors into an existing folder.
absl::Status SaveModel(LanguageModel& model, const std::string& folder);

// The file whose sha256 stands for the weights: model.safetensors, or the index of a sharded folder.
std::string WeightsFile(const std::string& folder);

}  // namespace quern

#endif  // QUERN_NN_MODEL_FOLDER_H_
