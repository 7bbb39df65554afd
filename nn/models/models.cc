#include "nn/models/models.h"

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "nn/models/gpt2.h"
#include "nn/models/gpt2_config.h"
#include "nn/models/llama.h"
#include "nn/models/llama_config.h"
#include "tensor/memory.h"

namespace quern {
namespace {

template <typename Model>
std::unique_ptr<LanguageModel> Make(const ModelConfig& config) {
  return std::make_unique<Model>(config);
}

}  // namespace

std::span<const Architecture> Architectures() {
  static const auto* table = new std::vector<Architecture>{
      {"gpt2",
       ModelConfig::kGpt2,
       {"gpt2"},
       "transformer.",
       "h.0.attn.c_attn.weight",
       {".attn.bias", ".attn.masked_bias"},
       ValidateGpt2,
       Gpt2ParameterCount,
       Make<Gpt2>,
       Gpt2FromJson,
       Gpt2ToJson},
      {"llama",
       ModelConfig::kLlama,
       {"llama", "mistral", "qwen2"},
       "model.",
       "layers.0.self_attn.q_proj.weight",
       {".rotary_emb.inv_freq"},
       ValidateLlama,
       LlamaParameterCount,
       Make<Llama>,
       LlamaFromJson,
       LlamaToJson},
  };
  return *table;
}

std::string KnownModelTypes() {
  std::string list;
  for (const Architecture& architecture : Architectures()) {
    for (std::string_view type : architecture.model_types)
      absl::StrAppend(&list, list.empty() ? "" : ", ", std::string(type));
  }
  return list;
}

absl::StatusOr<const Architecture*> ValidArchitecture(const ModelConfig& config) {
  for (const Architecture& architecture : Architectures()) {
    if (architecture.which != config.architecture_case()) continue;
    RETURN_IF_ERROR(architecture.validate(config));
    return &architecture;
  }
  std::string names;
  for (const Architecture& architecture : Architectures()) {
    absl::StrAppend(&names, names.empty() ? "" : " or ", "`", std::string(architecture.name), " {}`");
  }
  return absl::InvalidArgumentError(absl::StrCat("model config: no architecture; set ", names, "."));
}

absl::StatusOr<std::unique_ptr<LanguageModel>> MakeModel(const ModelConfig& config, uint64_t seed) {
  ASSIGN_OR_RETURN(const Architecture* architecture, ValidArchitecture(config));
  RETURN_IF_ERROR(
      MemoryBudget::Reserve(architecture->parameter_count(config) * SizeOf(DType::kF32), Cpu(), "the model's weights"));
  std::unique_ptr<LanguageModel> model = architecture->make(config);
  model->Visit([](std::string_view, Var& p) { p.mutable_value() = Tensor::Empty(p.shape(), DType::kF32); });
  model->InitializeWeights(seed);
  return model;
}

}  // namespace quern
