#include "nn/import/llama2c.h"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "nn/models/models.h"
#include "tensor/io/llama2c.h"
#include "tensor/memory.h"

namespace quern {
namespace {

constexpr int32_t kBos = 1, kEos = 2;

ModelConfig ConfigOf(const Llama2cHeader& header) {
  ModelConfig config;
  LlamaConfig& c = *config.mutable_llama();
  c.set_model_type("llama");
  c.set_vocab_size(static_cast<int32_t>(header.vocab_size));
  c.set_hidden_size(static_cast<int32_t>(header.dim));
  c.set_intermediate_size(static_cast<int32_t>(header.hidden_dim));
  c.set_num_hidden_layers(static_cast<int32_t>(header.n_layers));
  c.set_num_attention_heads(static_cast<int32_t>(header.n_heads));
  c.set_num_key_value_heads(static_cast<int32_t>(header.n_kv_heads));
  c.set_max_position_embeddings(static_cast<int32_t>(header.seq_len));
  c.set_rms_norm_eps(1e-5);
  c.set_rope_theta(10000);
  c.set_tie_word_embeddings(header.shared_classifier);
  if (header.vocab_size > kEos) {
    c.set_bos_token_id(kBos);
    c.set_eos_token_id(kEos);
    c.add_more_eos_token_ids(kBos);
  }
  return config;
}

// rows: [heads * D, C]; row 2i of a head becomes row i, row 2i + 1 row i + D/2.
Tensor HalvesFromPairs(const Tensor& rows, int64_t D) {
  Tensor halves = Tensor::Empty(rows.shape(), DType::kF32);
  const int64_t C = rows.dim(1);
  const float* from = rows.data<float>();
  float* to = halves.mutable_data<float>();
  for (int64_t row = 0; row < rows.dim(0); ++row) {
    const int64_t head = row / D, i = row % D;
    std::copy_n(from + row * C, C, to + (head * D + i / 2 + (i % 2) * (D / 2)) * C);
  }
  return halves;
}

// Where a parameter of ours lies: its tensor and, where layers are stacked, its layer.
struct Source {
  std::string_view name;
  int64_t layer = -1;
};

std::map<std::string, Source, std::less<>> Sources(const Llama2cHeader& header) {
  std::map<std::string, Source, std::less<>> sources = {{"model.embed_tokens.weight", {"token_embedding_table"}},
                                                        {"model.norm.weight", {"rms_final_weight"}},
                                                        {"lm_head.weight", {"wcls"}}};
  constexpr std::pair<const char*, const char*> kOfALayer[] = {
      {"input_layernorm", "rms_att_weight"},
      {"self_attn.q_proj", "wq"},
      {"self_attn.k_proj", "wk"},
      {"self_attn.v_proj", "wv"},
      {"self_attn.o_proj", "wo"},
      {"post_attention_layernorm", "rms_ffn_weight"},
      {"mlp.gate_proj", "w1"},
      {"mlp.down_proj", "w2"},
      {"mlp.up_proj", "w3"},
  };
  for (int64_t layer = 0; layer < header.n_layers; ++layer) {
    for (const auto& name : kOfALayer) {
      sources[absl::StrCat("model.layers.", layer, ".", name.first, ".weight")] = {name.second, layer};
    }
  }
  return sources;
}

}  // namespace

absl::StatusOr<std::unique_ptr<LanguageModel>> ImportLlama2c(const std::string& path) {
  ASSIGN_OR_RETURN(const Llama2cFile file, Llama2cFile::Open(path));
  const ModelConfig config = ConfigOf(file.header());
  const absl::StatusOr<const Architecture*> architecture = ValidArchitecture(config);
  if (!architecture.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", std::string(architecture.status().message())));
  }
  RETURN_IF_ERROR(MemoryBudget::Reserve((*architecture)->parameter_count(config) * SizeOf(DType::kF32), Cpu(),
                                        absl::StrCat("the weights of ", path)));
  std::unique_ptr<LanguageModel> model = (*architecture)->make(config);
  const auto sources = Sources(file.header());
  model->Visit([&](std::string_view name, Var& parameter) {
    const auto source = sources.find(name);
    CHECK(source != sources.end()) << "ImportLlama2c: a source for every parameter; got " << name;
    Tensor tensor = file.Get(source->second.name);
    if (const int64_t layer = source->second.layer; layer >= 0) {
      Tensor slice = tensor.Slice(0, layer, layer + 1);  // [1, ...]
      tensor = slice.Reshape(parameter.value().shape());
    }
    CHECK(tensor.shape() == parameter.value().shape())
        << "ImportLlama2c: " << name << " as the model has it; got " << tensor;
    const bool rotary = source->second.name == "wq" || source->second.name == "wk";
    parameter.mutable_value() = rotary ? HalvesFromPairs(tensor, file.header().head_size()) : tensor.Clone();
  });
  return model;
}

}  // namespace quern
