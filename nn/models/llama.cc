// N: tokens of all sequences, C: width, H, G: heads of queries and of keys, D: width of a head, I: width of the MLP, V:
// vocabulary.
#include "nn/models/llama.h"

#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "autograd/recompute.h"
#include "nn/attention.h"
#include "nn/init.h"
#include "nn/models/llama_config.h"

namespace quern {

Llama::Llama(const ModelConfig& config) : config_(config) {
  const LlamaConfig& c = llama();
  int64_t C = c.hidden_size(), I = c.intermediate_size(), H = heads(), G = kv_heads(), D = head_dim();
  constexpr WeightLayout kOutIn = WeightLayout::kOutIn;
  bool output_bias = c.attention_bias() && c.model_type() == "llama";
  rotary_ = nn::Rotary(nn::RotaryFrequencies(D, c.rope_theta(), c.rope_scaling()));
  embed_tokens_ = nn::Embedding(c.vocab_size(), C);
  for (int l = 0; l < c.num_hidden_layers(); ++l) {
    Block block;
    block.input_layernorm = nn::RmsNorm(C, c.rms_norm_eps());
    block.q_proj = nn::Linear(C, H * D, kOutIn, c.attention_bias());
    block.k_proj = nn::Linear(C, G * D, kOutIn, c.attention_bias());
    block.v_proj = nn::Linear(C, G * D, kOutIn, c.attention_bias());
    block.o_proj = nn::Linear(H * D, C, kOutIn, output_bias);
    block.post_attention_layernorm = nn::RmsNorm(C, c.rms_norm_eps());
    block.gate_proj = nn::Linear(C, I, kOutIn, c.mlp_bias());
    block.up_proj = nn::Linear(C, I, kOutIn, c.mlp_bias());
    block.down_proj = nn::Linear(I, C, kOutIn, c.mlp_bias());
    blocks_.push_back(std::move(block));
  }
  norm_ = nn::RmsNorm(C, c.rms_norm_eps());
  lm_head_ = c.tie_word_embeddings() ? nn::Linear::Tied(embed_tokens_.weight)
                                     : nn::Linear(C, c.vocab_size(), kOutIn, /*with_bias=*/false);
}

Var Llama::Forward(const Tensor& tokens, const Sequences& sequences, const ForwardOptions& options) {
  nn::CheckSequences("Llama", tokens, sequences, max_positions(), layers());
  nn::Dropout dropout(llama().dropout(), options);
  const RopeTable& rope = rotary_.Table(sequences.positions);

  Var x = embed_tokens_(tokens);  // [N,C]
  for (int64_t l = 0; l < layers(); ++l) {
    x = options.gradient_checkpointing ? Recompute([=, this] { return Layer(l, x, sequences, rope, dropout); })
                                       : Layer(l, x, sequences, rope, dropout);  // [N,C]
  }
  if (!options.logit_rows.empty()) x = SelectRows(x, options.logit_rows);
  return lm_head_(norm_(x));  // [N,V]
}

Var Llama::Layer(int64_t l, const Var& x, const Sequences& sequences, const RopeTable& rope,
                 const nn::Dropout& dropout) {
  Block& block = blocks_[static_cast<size_t>(l)];
  const uint64_t site = 2 * static_cast<uint64_t>(l);
  Var y = dropout.AddTo(x, block.o_proj, Attend(block, block.input_layernorm(x), sequences, rope, l), site);  // [N,C]
  return dropout.AddTo(y, block.down_proj, Mlp(block, block.post_attention_layernorm(y)), site + 1);          // [N,C]
}

Var Llama::Attend(Block& block, const Var& x, const Sequences& sequences, const RopeTable& rope, int64_t layer) {
  int64_t N = x.dim(0), H = heads(), G = kv_heads(), D = head_dim();
  Var q = Reshape(block.q_proj(x), {N, H, D});                                 // [N,H,D]
  Var k = Reshape(block.k_proj(x), {N, G, D});                                 // [N,G,D]
  Var v = Reshape(block.v_proj(x), {N, G, D});                                 // [N,G,D]
  q = Rope(q, sequences.positions, rope, RopePairing::kHalves);                // [N,H,D]
  k = Rope(k, sequences.positions, rope, RopePairing::kHalves);                // [N,G,D]
  return Reshape(nn::CausalAttention(q, k, v, sequences, layer), {N, H * D});  // [N,H*D]
}

Var Llama::Mlp(Block& block, const Var& x) {
  return SwiGlu(block.gate_proj(x), block.up_proj(x));  // [N,C] -> [N,I]
}

void Llama::Visit(const ParameterVisitor& visit) {
  embed_tokens_.Visit("model.embed_tokens", visit);
  for (size_t l = 0; l < blocks_.size(); ++l) {
    std::string layer = absl::StrCat("model.layers.", l);
    Block& block = blocks_[l];
    block.input_layernorm.Visit(layer + ".input_layernorm", visit);
    block.q_proj.Visit(layer + ".self_attn.q_proj", visit);
    block.k_proj.Visit(layer + ".self_attn.k_proj", visit);
    block.v_proj.Visit(layer + ".self_attn.v_proj", visit);
    block.o_proj.Visit(layer + ".self_attn.o_proj", visit);
    block.post_attention_layernorm.Visit(layer + ".post_attention_layernorm", visit);
    block.gate_proj.Visit(layer + ".mlp.gate_proj", visit);
    block.up_proj.Visit(layer + ".mlp.up_proj", visit);
    block.down_proj.Visit(layer + ".mlp.down_proj", visit);
  }
  norm_.Visit("model.norm", visit);
  if (!llama().tie_word_embeddings()) lm_head_.Visit("lm_head", visit);
}

void Llama::InitializeWeights(uint64_t seed) {
  nn::Initializer init(seed);
  Visit([&](std::string_view name, Var& parameter) {
    if (name.ends_with(".bias")) {
      init.Constant(parameter, 0);
    } else if (parameter.value().rank() == 1) {
      init.Constant(parameter, 1);
    } else {
      init.Normal(parameter, llama().initializer_range());
    }
  });
}

int64_t Llama::kv_heads() const { return LlamaKvHeads(llama()); }
int64_t Llama::head_dim() const { return LlamaHeadDim(llama()); }

std::vector<int32_t> Llama::eos_token_ids() const {
  std::vector<int32_t> ids;
  if (eos_token_id() >= 0) ids.push_back(eos_token_id());
  ids.insert(ids.end(), llama().more_eos_token_ids().begin(), llama().more_eos_token_ids().end());
  return ids;
}

int64_t Llama::MultipliedWeights() {
  int64_t C = llama().hidden_size(), I = llama().intermediate_size(), D = head_dim();
  return layers() * (2 * C * D * (heads() + kv_heads()) + 3 * C * I) + C * vocab_size();
}

}  // namespace quern
