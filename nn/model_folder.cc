#include "nn/model_folder.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/foreign_file.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "nn/models/config_fields.h"
#include "nn/models/models.h"
#include "nn/weight_match.h"
#include "tensor/io/safetensors_model.h"
#include "tensor/memory.h"

namespace quern {
namespace {

constexpr uint64_t kMaxConfigBytes = uint64_t{16} << 20;
constexpr int64_t kMaxShardBytes = 5'000'000'000;

absl::Status WithPath(const std::string& path, const absl::Status& status) {
  std::string message(status.message());
  std::string_view rest = message;
  // The readers of fields know the file as "config.json".
  if (rest.starts_with(kConfigJson)) rest.remove_prefix(kConfigJson.size());
  return absl::Status(status.code(), absl::StrCat(path, rest.starts_with(":") ? "" : ": ", std::string(rest)));
}

// generation_config.json is what Hugging Face ends texts by: chat models list more ids there than in config.json.
absl::Status ReadGenerationConfig(const std::string& folder, Json& json) {
  std::string path = JoinPath(folder, "generation_config.json");
  if (!FileExists(path)) return absl::OkStatus();
  ASSIGN_OR_RETURN(Json generation, ReadJsonFile(path, kMaxConfigBytes));
  if (!generation.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, ": must hold an object."));
  auto eos = generation.find("eos_token_id");
  if (eos != generation.end() && !eos->is_null()) json["eos_token_id"] = *eos;
  return absl::OkStatus();
}

std::vector<NamedTensor> FileTensors(LanguageModel& model) {
  std::vector<NamedTensor> tensors;
  model.Visit([&](std::string_view name, Var& p) { tensors.push_back({std::string(name), p.value()}); });
  for (const LanguageModel::ZeroTensor& zero : model.ImpliedZeros()) {
    tensors.push_back({zero.name, Tensor::Zeros(zero.shape, DType::kF32)});
  }
  std::sort(tensors.begin(), tensors.end(), [](const NamedTensor& a, const NamedTensor& b) { return a.name < b.name; });
  return tensors;
}

Json GenerationConfig(const LanguageModel& model) {
  std::vector<int32_t> eos = model.eos_token_ids(), more(eos.size() > 1 ? eos.begin() + 1 : eos.end(), eos.end());
  Json json;
  json["_from_model_config"] = true;
  if (model.bos_token_id() >= 0) json["bos_token_id"] = model.bos_token_id();
  if (!eos.empty()) json["eos_token_id"] = TokenIdsToJson(eos[0], more);
  return json;
}

}  // namespace

absl::StatusOr<ModelConfig> ModelConfigFromJson(const Json& json) {
  if (!json.is_object()) return absl::InvalidArgumentError("config.json: must hold an object.");
  ASSIGN_OR_RETURN(std::string model_type, JsonString(json, "model_type", kConfigJson));
  RETURN_IF_ERROR(RefuseUnless(json, "quantization_config", Json::object(),
                               "quantised weights in this form are not read. Use the model's bf16 or f32 weights."));
  RETURN_IF_ERROR(RefuseUnless(json, "is_encoder_decoder", false, "only decoders are implemented."));
  std::vector<std::string> known;
  for (const Architecture& architecture : Architectures()) {
    for (std::string_view type : architecture.model_types) {
      known.emplace_back(type);
      if (type != model_type) continue;
      ASSIGN_OR_RETURN(ModelConfig config, architecture.from_json(json));
      RETURN_IF_ERROR(architecture.validate(config));
      return config;
    }
  }
  return absl::InvalidArgumentError(absl::StrCat("config.json: model_type \"", model_type,
                                                 "\" is not implemented; those that are: ", KnownModelTypes(), ".",
                                                 DidYouMean(model_type, known)));
}

Json ModelConfigToJson(const ModelConfig& config) {
  absl::StatusOr<const Architecture*> architecture = ValidArchitecture(config);
  CHECK_OK(architecture.status()) << "ModelConfigToJson";
  return (*architecture)->to_json(config);
}

absl::StatusOr<ModelConfig> ReadModelConfig(const std::string& folder) {
  if (const ForeignFile* foreign = FindForeignFileAt(folder)) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, " is ", std::string(foreign->name), ", not a model folder. ", std::string(foreign->mend)));
  }
  std::string path = JoinPath(folder, "config.json");
  if (!FileExists(path)) {
    return absl::NotFoundError(
        absl::StrCat(folder, IsFolder(folder) ? " has no config.json" : " is not a folder",
                     "; a model folder holds config.json, model.safetensors and tokenizer.json."));
  }
  ASSIGN_OR_RETURN(Json json, ReadJsonFile(path, kMaxConfigBytes));
  if (!json.is_object()) return absl::InvalidArgumentError(absl::StrCat(path, ": must hold an object."));
  RETURN_IF_ERROR(ReadGenerationConfig(folder, json));
  absl::StatusOr<ModelConfig> config = ModelConfigFromJson(json);
  if (!config.ok()) return WithPath(path, config.status());
  return config;
}

absl::StatusOr<std::unique_ptr<LanguageModel>> LoadModel(const std::string& folder) {
  ASSIGN_OR_RETURN(ModelConfig config, ReadModelConfig(folder));
  ASSIGN_OR_RETURN(const Architecture* architecture, ValidArchitecture(config));
  ASSIGN_OR_RETURN(SafetensorsModel file, SafetensorsModel::Open(folder));
  std::unique_ptr<LanguageModel> model = architecture->make(config);
  ASSIGN_OR_RETURN(std::vector<MatchedWeight> weights, MatchWeights(*model, *architecture, file, WeightsFile(folder)));
  int64_t bytes = architecture->parameter_count(config) * SizeOf(DType::kF32);
  RETURN_IF_ERROR(MemoryBudget::Reserve(bytes, Cpu(), absl::StrCat("the weights of ", folder)));
  for (MatchedWeight& weight : weights) {
    ASSIGN_OR_RETURN(Tensor tensor, file.FindAs(weight.file_name, DType::kF32));
    // Views of the file are read-only, and a file may change under them.
    weight.parameter.mutable_value() = tensor.storage().read_only() ? tensor.Clone() : tensor;
  }
  return model;
}

absl::Status LoadWeights(LanguageModel& model, const std::string& path) {
  ASSIGN_OR_RETURN(const Architecture* architecture, ValidArchitecture(model.config()));
  ASSIGN_OR_RETURN(SafetensorsModel file, SafetensorsModel::Open(path));
  ASSIGN_OR_RETURN(std::vector<MatchedWeight> weights, MatchWeights(model, *architecture, file, path));
  for (MatchedWeight& weight : weights) {
    ASSIGN_OR_RETURN(Tensor tensor, file.FindAs(weight.file_name, DType::kF32));
    weight.parameter.mutable_value().CopyFrom(tensor);
  }
  return absl::OkStatus();
}

absl::Status SaveWeights(LanguageModel& model, const std::string& path) {
  return WriteSafetensors(path, FileTensors(model), {{"format", "pt"}});
}

absl::Status SaveModel(LanguageModel& model, const std::string& folder) {
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(folder, "config.json"), WriteJson(ModelConfigToJson(model.config()))));
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(folder, "generation_config.json"), WriteJson(GenerationConfig(model))));
  std::vector<NamedTensor> tensors = FileTensors(model);
  int64_t bytes = 0;
  for (const NamedTensor& named : tensors) bytes += named.tensor.bytes();
  RETURN_IF_ERROR(WriteSafetensorsModel(folder, tensors, {{"format", "pt"}}, kMaxShardBytes));
  // A folder that held the other kind of weights would have two; what was just written is what a reader must find.
  return RemoveAll(JoinPath(folder, bytes > kMaxShardBytes ? "model.safetensors" : "model.safetensors.index.json"));
}

std::string WeightsFile(const std::string& folder) {
  std::string single = JoinPath(folder, "model.safetensors"), index = JoinPath(folder, "model.safetensors.index.json");
  return !FileExists(single) && FileExists(index) ? index : single;
}

}  // namespace quern
