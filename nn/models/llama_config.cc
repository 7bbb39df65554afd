#include "nn/models/llama_config.h"

#include <map>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "nn/models/config_fields.h"

namespace quern {
namespace {

// Where the classes of transformers differ in what an absent field means.
struct FamilyDefaults {
  const char* architecture;
  int64_t vocab_size, intermediate_size, key_value_heads, max_positions;  // key_value_heads 0: as many as heads
  std::vector<int32_t> bos, eos;
  bool attention_bias;  // the class's maths
  bool reads_biases;    // whether attention_bias and mlp_bias are fields of the class
};

const FamilyDefaults& Family(const std::string& model_type) {
  static const auto* table = new std::map<std::string, FamilyDefaults>{
      {"llama", {"LlamaForCausalLM", 32000, 11008, 0, 2048, {1}, {2}, false, true}},
      {"mistral", {"MistralForCausalLM", 32000, 14336, 8, 131072, {1}, {2}, false, false}},
      {"qwen2", {"Qwen2ForCausalLM", 151936, 22016, 32, 32768, {}, {}, true, false}},
  };
  return table->at(model_type);
}

bool Null(const Json& json, const char* field) {
  auto found = json.find(field);
  return found == json.end() || found->is_null();
}

// A window that covers the whole context changes nothing.
absl::Status RefuseSlidingWindow(const Json& json, const std::string& model_type, int64_t layers,
                                 int64_t max_positions) {
  bool by_layers = false;
  if (auto types = json.find("layer_types"); types != json.end() && types->is_array()) {
    for (const Json& type : *types) by_layers = by_layers || type != "full_attention";
    if (!by_layers) return absl::OkStatus();
  }
  if (model_type == "qwen2") {
    ASSIGN_OR_RETURN(bool used, JsonBoolOr(json, "use_sliding_window", kConfigJson, false));
    ASSIGN_OR_RETURN(int64_t full_layers, JsonIntOr(json, "max_window_layers", kConfigJson, 0, int64_t{1} << 31, 28));
    if (!used || (!by_layers && full_layers >= layers)) return absl::OkStatus();
  }
  if (model_type == "llama" && !by_layers) return absl::OkStatus();
  // MistralConfig without the field means 4096; null means none.
  if (json.contains("sliding_window") && json["sliding_window"].is_null()) return absl::OkStatus();
  ASSIGN_OR_RETURN(int64_t window, JsonIntOr(json, "sliding_window", kConfigJson, 1, int64_t{1} << 31, 4096));
  if (window >= max_positions) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("config.json: sliding_window ", window, " is in use and shorter than max_position_embeddings ",
                   max_positions, "; attention within a window is not implemented. Set max_position_embeddings to ",
                   window, " to use this model on contexts that the window covers."));
}

// The object that rotary parameters stand in, in either generation's place; null where there is none.
absl::StatusOr<const Json*> RopeObject(const Json& json) {
  for (const char* field : {"rope_parameters", "rope_scaling"}) {
    if (Null(json, field)) continue;
    const Json& rope = json[field];
    if (!rope.is_object())
      return absl::InvalidArgumentError(absl::StrCat("config.json: ", field, " must be an object or null."));
    for (const auto& [key, value] : rope.items()) {
      if (value.is_object()) {
        return absl::InvalidArgumentError(absl::StrCat("config.json: ", field, " has parameters per layer type (", key,
                                                       "), which are not implemented."));
      }
    }
    return &rope;
  }
  return nullptr;
}

absl::Status ReadRope(const Json& json, LlamaConfig& c) {
  RETURN_IF_ERROR(RefuseUnless(json, "partial_rotary_factor", 1.0, "only whole heads are rotated."));
  ASSIGN_OR_RETURN(double theta, JsonNumberOr(json, "rope_theta", kConfigJson, 10000.0));
  c.set_rope_theta(theta);
  ASSIGN_OR_RETURN(const Json* rope, RopeObject(json));
  if (rope == nullptr) return absl::OkStatus();
  constexpr std::string_view kWhat = "config.json: rope_parameters";
  RETURN_IF_ERROR(RefuseUnless(*rope, "partial_rotary_factor", 1.0, "only whole heads are rotated."));
  ASSIGN_OR_RETURN(theta, JsonNumberOr(*rope, "rope_theta", kWhat, theta));
  c.set_rope_theta(theta);
  ASSIGN_OR_RETURN(std::string type,
                   JsonStringOr(*rope, Null(*rope, "rope_type") ? "type" : "rope_type", kWhat, "default"));
  if (type == "default") return absl::OkStatus();
  if (type != "linear" && type != "llama3") {
    return absl::InvalidArgumentError(
        absl::StrCat("config.json: rope_type \"", type, "\" is not implemented; default, linear and llama3 are."));
  }
  RopeScaling& s = *c.mutable_rope_scaling();
  s.set_rope_type(type);
  ASSIGN_OR_RETURN(double factor, JsonNumber(*rope, "factor", kWhat));
  s.set_factor(factor);
  if (type == "linear") return absl::OkStatus();
  ASSIGN_OR_RETURN(double low, JsonNumber(*rope, "low_freq_factor", kWhat));
  ASSIGN_OR_RETURN(double high, JsonNumber(*rope, "high_freq_factor", kWhat));
  ASSIGN_OR_RETURN(int64_t original, JsonIntOr(*rope, "original_max_position_embeddings", kWhat, 1, kMaxPositions,
                                               c.max_position_embeddings()));
  s.set_low_freq_factor(low);
  s.set_high_freq_factor(high);
  s.set_original_max_position_embeddings(static_cast<int32_t>(original));
  return absl::OkStatus();
}

absl::Status ReadSizes(const Json& json, const FamilyDefaults& family, LlamaConfig& c) {
  ASSIGN_OR_RETURN(int64_t vocab_size, ConfigInt(json, "vocab_size", "", kMaxVocab, family.vocab_size));
  ASSIGN_OR_RETURN(int64_t hidden_size, ConfigInt(json, "hidden_size", "", kMaxWidth, 4096));
  ASSIGN_OR_RETURN(int64_t intermediate_size,
                   ConfigInt(json, "intermediate_size", "", kMaxInner, family.intermediate_size));
  ASSIGN_OR_RETURN(int64_t layers, ConfigInt(json, "num_hidden_layers", "", kMaxLayers, 32));
  ASSIGN_OR_RETURN(int64_t heads, ConfigInt(json, "num_attention_heads", "", kMaxWidth, 32));
  // Null means as many as heads in all three classes; absent means the class's default.
  int64_t absent_heads = json.contains("num_key_value_heads") ? 0 : family.key_value_heads;
  ASSIGN_OR_RETURN(int64_t kv_heads, ConfigInt(json, "num_key_value_heads", "", kMaxWidth, absent_heads));
  ASSIGN_OR_RETURN(int64_t head_dim, ConfigInt(json, "head_dim", "", kMaxWidth, 0));
  ASSIGN_OR_RETURN(int64_t positions,
                   ConfigInt(json, "max_position_embeddings", "", kMaxPositions, family.max_positions));
  c.set_vocab_size(static_cast<int32_t>(vocab_size));
  c.set_hidden_size(static_cast<int32_t>(hidden_size));
  c.set_intermediate_size(static_cast<int32_t>(intermediate_size));
  c.set_num_hidden_layers(static_cast<int32_t>(layers));
  c.set_num_attention_heads(static_cast<int32_t>(heads));
  c.set_num_key_value_heads(static_cast<int32_t>(kv_heads));
  c.set_head_dim(static_cast<int32_t>(head_dim));
  c.set_max_position_embeddings(static_cast<int32_t>(positions));
  return absl::OkStatus();
}

absl::Status ReadTokenIds(const Json& json, const FamilyDefaults& family, LlamaConfig& c) {
  ASSIGN_OR_RETURN(std::vector<int32_t> bos, ConfigTokenIds(json, "bos_token_id", c.vocab_size(), family.bos));
  ASSIGN_OR_RETURN(std::vector<int32_t> eos, ConfigTokenIds(json, "eos_token_id", c.vocab_size(), family.eos));
  if (!bos.empty()) c.set_bos_token_id(bos[0]);
  if (!eos.empty()) c.set_eos_token_id(eos[0]);
  for (size_t i = 1; i < eos.size(); ++i) c.add_more_eos_token_ids(eos[i]);
  return absl::OkStatus();
}

absl::Status CheckRopeScaling(const LlamaConfig& c) {
  const RopeScaling& s = c.rope_scaling();
  FieldChecks check;
  check.That(s.rope_type() == "default" || s.rope_type() == "linear" || s.rope_type() == "llama3",
             absl::StrCat("rope_type is \"", s.rope_type(), "\"; it must be default, linear or llama3."));
  check.Number("factor", s.factor(), 0, 1e9, /*closed=*/false);
  if (s.rope_type() == "llama3") {
    check.Number("low_freq_factor", s.low_freq_factor(), 0, 1e9, /*closed=*/false);
    check.Number("high_freq_factor", s.high_freq_factor(), 0, 1e9, /*closed=*/false);
    check.That(s.high_freq_factor() > s.low_freq_factor(), "high_freq_factor must be above low_freq_factor.");
    check.Int("original_max_position_embeddings", s.original_max_position_embeddings(), 1, kMaxPositions);
  }
  return check.status();
}

}  // namespace

int64_t LlamaParameterCount(const ModelConfig& config) {
  const LlamaConfig& c = config.llama();
  int64_t C = c.hidden_size(), I = c.intermediate_size(), V = c.vocab_size(), D = LlamaHeadDim(c);
  int64_t q = c.num_attention_heads() * D, kv = LlamaKvHeads(c) * D;
  int64_t attention = 2 * C * (q + kv) + (c.attention_bias() ? q + 2 * kv + (c.model_type() == "llama" ? C : 0) : 0);
  int64_t mlp = 3 * C * I + (c.mlp_bias() ? 2 * I + C : 0);
  return V * C + c.num_hidden_layers() * (attention + mlp + 2 * C) + C + (c.tie_word_embeddings() ? 0 : V * C);
}

absl::Status ValidateLlama(const ModelConfig& config) {
  const LlamaConfig& c = config.llama();
  FieldChecks check;
  check.That(c.model_type() == "llama" || c.model_type() == "mistral" || c.model_type() == "qwen2",
             absl::StrCat("model_type is \"", c.model_type(), "\"; it must be llama, mistral or qwen2."));
  check.Int("vocab_size", c.vocab_size(), 1, kMaxVocab);
  check.Int("hidden_size", c.hidden_size(), 1, kMaxWidth);
  check.Int("intermediate_size", c.intermediate_size(), 1, kMaxInner);
  check.Int("num_hidden_layers", c.num_hidden_layers(), 1, kMaxLayers);
  check.Int("num_attention_heads", c.num_attention_heads(), 1, kMaxWidth);
  check.Int("num_key_value_heads", c.num_key_value_heads(), 0, kMaxWidth);
  check.Int("head_dim", c.head_dim(), 0, 4096);
  check.Int("max_position_embeddings", c.max_position_embeddings(), 1, kMaxPositions);
  RETURN_IF_ERROR(check.status());
  // Also with a head_dim of its own: transformers asks for it.
  check.That(c.hidden_size() % c.num_attention_heads() == 0 || (c.head_dim() > 0 && c.model_type() != "llama"),
             absl::StrCat("num_attention_heads (", c.num_attention_heads(), ") must divide hidden_size (",
                          c.hidden_size(), ")."));
  check.That(c.num_attention_heads() % LlamaKvHeads(c) == 0,
             absl::StrCat("num_key_value_heads (", LlamaKvHeads(c), ") must divide num_attention_heads (",
                          c.num_attention_heads(), ")."));
  check.That(LlamaHeadDim(c) % 2 == 0,
             absl::StrCat("head_dim (", LlamaHeadDim(c), ") must be even: RoPE turns pairs."));
  check.Int("num_attention_heads * head_dim", c.num_attention_heads() * LlamaHeadDim(c), 1, kMaxInner);
  check.That(c.model_type() != "qwen2" || c.attention_bias(), "attention_bias must be true for model_type qwen2.");
  check.That(c.model_type() != "mistral" || !c.attention_bias(),
             "attention_bias must be false for model_type mistral.");
  check.That(c.model_type() == "llama" || !c.mlp_bias(), "mlp_bias must be false but for model_type llama.");
  check.Number("rms_norm_eps", c.rms_norm_eps(), 0, 1, /*closed=*/false);
  check.Number("rope_theta", c.rope_theta(), 1, 1e18, /*closed=*/true);
  check.Number("initializer_range", c.initializer_range(), 0, 100, /*closed=*/true);
  check.Number("dropout", c.dropout(), 0, 1, /*closed=*/true);
  check.Int("bos_token_id", c.bos_token_id(), -1, c.vocab_size() - 1);
  check.Int("eos_token_id", c.eos_token_id(), -1, c.vocab_size() - 1);
  RETURN_IF_ERROR(check.status());
  return CheckRopeScaling(c);
}

absl::StatusOr<ModelConfig> LlamaFromJson(const Json& json) {
  ModelConfig config;
  LlamaConfig& c = *config.mutable_llama();
  ASSIGN_OR_RETURN(std::string model_type, JsonString(json, "model_type", kConfigJson));
  const FamilyDefaults& family = Family(model_type);
  c.set_model_type(model_type);
  RETURN_IF_ERROR(RefuseUnless(json, "hidden_act", "silu", "only silu is implemented for this architecture."));
  RETURN_IF_ERROR(ReadSizes(json, family, c));
  RETURN_IF_ERROR(RefuseSlidingWindow(json, model_type, c.num_hidden_layers(), c.max_position_embeddings()));
  RETURN_IF_ERROR(ReadRope(json, c));
  RETURN_IF_ERROR(ReadTokenIds(json, family, c));
  ASSIGN_OR_RETURN(double epsilon, JsonNumberOr(json, "rms_norm_eps", kConfigJson, 1e-6));
  ASSIGN_OR_RETURN(bool tied, JsonBoolOr(json, "tie_word_embeddings", kConfigJson, false));
  ASSIGN_OR_RETURN(double range, JsonNumberOr(json, "initializer_range", kConfigJson, 0.02));
  ASSIGN_OR_RETURN(double dropout, JsonNumberOr(json, "dropout", kConfigJson, 0.0));
  c.set_rms_norm_eps(epsilon);
  c.set_tie_word_embeddings(tied);
  c.set_initializer_range(range);
  c.set_dropout(dropout);
  c.set_attention_bias(family.attention_bias);
  if (family.reads_biases) {
    ASSIGN_OR_RETURN(bool attention_bias, JsonBoolOr(json, "attention_bias", kConfigJson, false));
    ASSIGN_OR_RETURN(bool mlp_bias, JsonBoolOr(json, "mlp_bias", kConfigJson, false));
    c.set_attention_bias(attention_bias);
    c.set_mlp_bias(mlp_bias);
  }
  NoteAttentionDropout(json, "attention_dropout");
  return config;
}

Json LlamaToJson(const ModelConfig& config) {
  const LlamaConfig& c = config.llama();
  const FamilyDefaults& family = Family(c.model_type());
  Json json;
  json["model_type"] = c.model_type();
  json["architectures"] = {family.architecture};
  json["vocab_size"] = c.vocab_size();
  json["hidden_size"] = c.hidden_size();
  json["intermediate_size"] = c.intermediate_size();
  json["num_hidden_layers"] = c.num_hidden_layers();
  json["num_attention_heads"] = c.num_attention_heads();
  json["num_key_value_heads"] = LlamaKvHeads(c);
  json["head_dim"] = LlamaHeadDim(c);
  json["hidden_act"] = "silu";
  json["max_position_embeddings"] = c.max_position_embeddings();
  json["rms_norm_eps"] = c.rms_norm_eps();
  json["rope_theta"] = c.rope_theta();
  const RopeScaling& s = c.rope_scaling();
  Json scaling = nullptr;
  if (s.rope_type() != "default") scaling = {{"rope_type", s.rope_type()}, {"factor", s.factor()}};
  if (s.rope_type() == "llama3") {
    scaling["low_freq_factor"] = s.low_freq_factor();
    scaling["high_freq_factor"] = s.high_freq_factor();
    scaling["original_max_position_embeddings"] = s.original_max_position_embeddings();
  }
  json["rope_scaling"] = scaling;
  if (family.reads_biases) {
    json["attention_bias"] = c.attention_bias();
    json["mlp_bias"] = c.mlp_bias();
  } else {
    json["sliding_window"] = nullptr;
  }
  if (c.model_type() == "qwen2") json["use_sliding_window"] = false;
  json["tie_word_embeddings"] = c.tie_word_embeddings();
  json["initializer_range"] = c.initializer_range();
  json["attention_dropout"] = 0.0;
  if (c.dropout() > 0) json["dropout"] = c.dropout();  // ours, in training
  json["use_cache"] = true;
  json["torch_dtype"] = "float32";
  json["bos_token_id"] = TokenIdsToJson(c.bos_token_id(), {});
  json["eos_token_id"] =
      TokenIdsToJson(c.eos_token_id(), {c.more_eos_token_ids().begin(), c.more_eos_token_ids().end()});
  return json;
}

}  // namespace quern
