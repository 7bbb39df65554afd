#include "nn/models/gpt2_config.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "nn/models/config_fields.h"

namespace quern {
namespace {

// Hugging Face's names of the two functions that are here.
const std::map<std::string, std::string>& Activations() {
  static const auto* names = new std::map<std::string, std::string>{{"gelu", "gelu"},
                                                                    {"gelu_python", "gelu"},
                                                                    {"gelu_new", "gelu_new"},
                                                                    {"gelu_fast", "gelu_new"},
                                                                    {"gelu_pytorch_tanh", "gelu_new"},
                                                                    {"gelu_python_tanh", "gelu_new"},
                                                                    {"gelu_accurate", "gelu_new"}};
  return *names;
}

absl::Status RefuseOtherMaths(const Json& json) {
  RETURN_IF_ERROR(
      RefuseUnless(json, "scale_attn_weights", true, "only attention scaled by 1/sqrt(head_dim) is implemented."));
  RETURN_IF_ERROR(RefuseUnless(json, "scale_attn_by_inverse_layer_idx", false,
                               "scores scaled by the layer's number are not implemented."));
  RETURN_IF_ERROR(RefuseUnless(json, "add_cross_attention", false, "cross-attention is not implemented."));
  RETURN_IF_ERROR(RefuseUnless(json, "pruned_heads", Json::object(), "pruned heads are not implemented."));
  return absl::OkStatus();
}

}  // namespace

int64_t Gpt2ParameterCount(const ModelConfig& config) {
  const Gpt2Config& c = config.gpt2();
  int64_t C = c.n_embd(), I = Gpt2Inner(c), V = c.vocab_size(), bias = c.bias() ? 1 : 0;
  int64_t block =
      4 * C * C + 2 * C * I + 2 * C + bias * (7 * C + I);  // bias: two norms 2C, c_attn 3C, projections 2C, c_fc I
  return (V + c.n_positions()) * C + c.n_layer() * block + (1 + bias) * C + (c.tie_word_embeddings() ? 0 : V * C);
}

absl::Status ValidateGpt2(const ModelConfig& config) {
  const Gpt2Config& c = config.gpt2();
  FieldChecks check;
  check.Int("vocab_size", c.vocab_size(), 1, kMaxVocab);
  check.Int("n_positions", c.n_positions(), 1, kMaxPositions);
  check.Int("n_embd", c.n_embd(), 1, kMaxWidth);
  check.Int("n_layer", c.n_layer(), 1, kMaxLayers);
  check.Int("n_head", c.n_head(), 1, kMaxWidth);
  check.Int("n_inner", c.n_inner(), 0, kMaxInner);
  check.That(c.n_head() > 0 && c.n_embd() % c.n_head() == 0,
             absl::StrCat("n_head (", c.n_head(), ") must divide n_embd (", c.n_embd(), ")."));
  check.That(c.activation_function() == "gelu" || c.activation_function() == "gelu_new",
             absl::StrCat("activation_function is \"", c.activation_function(),
                          "\"; it must be \"gelu_new\" (tanh) or \"gelu\" (erf)."));
  check.Number("layer_norm_epsilon", c.layer_norm_epsilon(), 0, 1, /*closed=*/false);
  check.Number("embd_pdrop", c.embd_pdrop(), 0, 1, /*closed=*/true);
  check.Number("resid_pdrop", c.resid_pdrop(), 0, 1, /*closed=*/true);
  check.Number("initializer_range", c.initializer_range(), 0, 100, /*closed=*/true);
  check.Int("bos_token_id", c.bos_token_id(), -1, c.vocab_size() - 1);
  check.Int("eos_token_id", c.eos_token_id(), -1, c.vocab_size() - 1);
  return check.status();
}

absl::StatusOr<ModelConfig> Gpt2FromJson(const Json& json) {
  RETURN_IF_ERROR(RefuseOtherMaths(json));
  ModelConfig config;
  Gpt2Config& c = *config.mutable_gpt2();
  ASSIGN_OR_RETURN(int64_t vocab_size, ConfigInt(json, "vocab_size", "", kMaxVocab, 50257));
  ASSIGN_OR_RETURN(int64_t n_positions, ConfigInt(json, "n_positions", "max_position_embeddings", kMaxPositions, 1024));
  ASSIGN_OR_RETURN(int64_t n_embd, ConfigInt(json, "n_embd", "hidden_size", kMaxWidth, 768));
  ASSIGN_OR_RETURN(int64_t n_layer, ConfigInt(json, "n_layer", "num_hidden_layers", kMaxLayers, 12));
  ASSIGN_OR_RETURN(int64_t n_head, ConfigInt(json, "n_head", "num_attention_heads", kMaxWidth, 12));
  ASSIGN_OR_RETURN(int64_t n_inner, ConfigInt(json, "n_inner", "", kMaxInner, 0));
  ASSIGN_OR_RETURN(std::string activation, JsonStringOr(json, "activation_function", kConfigJson, "gelu_new"));
  auto known = Activations().find(activation);
  if (known == Activations().end()) {
    return absl::InvalidArgumentError(absl::StrCat("config.json: activation_function \"", activation,
                                                   "\" is not implemented; gelu (erf) and gelu_new (tanh) are."));
  }
  ASSIGN_OR_RETURN(double epsilon, JsonNumberOr(json, "layer_norm_epsilon", kConfigJson, 1e-5));
  ASSIGN_OR_RETURN(bool tied, JsonBoolOr(json, "tie_word_embeddings", kConfigJson, true));
  ASSIGN_OR_RETURN(double embd_pdrop, JsonNumberOr(json, "embd_pdrop", kConfigJson, 0.1));
  ASSIGN_OR_RETURN(double resid_pdrop, JsonNumberOr(json, "resid_pdrop", kConfigJson, 0.1));
  ASSIGN_OR_RETURN(double range, JsonNumberOr(json, "initializer_range", kConfigJson, 0.02));
  ASSIGN_OR_RETURN(bool bias, JsonBoolOr(json, "bias", kConfigJson, true));
  ASSIGN_OR_RETURN(std::vector<int32_t> bos, ConfigTokenIds(json, "bos_token_id", vocab_size, {50256}));
  ASSIGN_OR_RETURN(std::vector<int32_t> eos, ConfigTokenIds(json, "eos_token_id", vocab_size, {50256}));
  NoteAttentionDropout(json, "attn_pdrop");

  c.set_vocab_size(static_cast<int32_t>(vocab_size));
  c.set_n_positions(static_cast<int32_t>(n_positions));
  c.set_n_embd(static_cast<int32_t>(n_embd));
  c.set_n_layer(static_cast<int32_t>(n_layer));
  c.set_n_head(static_cast<int32_t>(n_head));
  c.set_n_inner(static_cast<int32_t>(n_inner));
  c.set_activation_function(known->second);
  c.set_layer_norm_epsilon(epsilon);
  c.set_tie_word_embeddings(tied);
  c.set_embd_pdrop(embd_pdrop);
  c.set_resid_pdrop(resid_pdrop);
  c.set_initializer_range(range);
  c.set_bias(bias);
  if (!bos.empty()) c.set_bos_token_id(bos[0]);
  if (!eos.empty()) c.set_eos_token_id(eos[0]);
  for (size_t i = 1; i < eos.size(); ++i) c.add_more_eos_token_ids(eos[i]);
  return config;
}

Json Gpt2ToJson(const ModelConfig& config) {
  const Gpt2Config& c = config.gpt2();
  Json json;
  json["model_type"] = "gpt2";
  json["architectures"] = {"GPT2LMHeadModel"};
  json["vocab_size"] = c.vocab_size();
  json["n_positions"] = c.n_positions();
  json["n_ctx"] = c.n_positions();  // what readers before transformers 4 ask for
  json["n_embd"] = c.n_embd();
  json["n_layer"] = c.n_layer();
  json["n_head"] = c.n_head();
  json["n_inner"] = c.n_inner() > 0 ? Json(c.n_inner()) : Json(nullptr);
  json["activation_function"] = c.activation_function();
  json["layer_norm_epsilon"] = c.layer_norm_epsilon();
  json["tie_word_embeddings"] = c.tie_word_embeddings();
  json["embd_pdrop"] = c.embd_pdrop();
  json["resid_pdrop"] = c.resid_pdrop();
  json["attn_pdrop"] = 0.0;
  json["initializer_range"] = c.initializer_range();
  if (!c.bias()) json["bias"] = false;  // ours; other readers find biases of zero in the weights
  json["scale_attn_weights"] = true;
  json["use_cache"] = true;
  json["torch_dtype"] = "float32";
  json["bos_token_id"] = TokenIdsToJson(c.bos_token_id(), {});
  json["eos_token_id"] =
      TokenIdsToJson(c.eos_token_id(), {c.more_eos_token_ids().begin(), c.more_eos_token_ids().end()});
  return json;
}

}  // namespace quern
