// N: tokens of all sequences, C: width, H: heads, D = C / H, I: width of the MLP, V: vocabulary.
#include "nn/models/gpt2.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "autograd/recompute.h"
#include "nn/attention.h"
#include "nn/init.h"
#include "nn/models/gpt2_config.h"

namespace quern {

Gpt2::Gpt2(const ModelConfig& config)
    : config_(config), gelu_(gpt2().activation_function() == "gelu" ? GeluKind::kErf : GeluKind::kTanh) {
  const Gpt2Config& c = gpt2();
  int64_t C = c.n_embd(), I = Gpt2Inner(c);
  constexpr WeightLayout kConv1D = WeightLayout::kInOut;
  wte_ = nn::Embedding(c.vocab_size(), C);
  wpe_ = nn::Embedding(c.n_positions(), C);
  for (int l = 0; l < c.n_layer(); ++l) {
    Block block;
    block.ln_1 = nn::LayerNorm(C, c.layer_norm_epsilon(), c.bias());
    block.c_attn = nn::Linear(C, 3 * C, kConv1D, c.bias());
    block.attn_c_proj = nn::Linear(C, C, kConv1D, c.bias());
    block.ln_2 = nn::LayerNorm(C, c.layer_norm_epsilon(), c.bias());
    block.c_fc = nn::Linear(C, I, kConv1D, c.bias());
    block.mlp_c_proj = nn::Linear(I, C, kConv1D, c.bias());
    blocks_.push_back(std::move(block));
  }
  ln_f_ = nn::LayerNorm(C, c.layer_norm_epsilon(), c.bias());
  lm_head_ = c.tie_word_embeddings() ? nn::Linear::Tied(wte_.weight)
                                     : nn::Linear(C, c.vocab_size(), WeightLayout::kOutIn, /*with_bias=*/false);
}

Var Gpt2::Forward(const Tensor& tokens, const Sequences& sequences, const ForwardOptions& options) {
  nn::CheckSequences("Gpt2", tokens, sequences, max_positions(), layers());
  nn::Dropout embd_dropout(gpt2().embd_pdrop(), options), resid_dropout(gpt2().resid_pdrop(), options);

  Tensor positions = Tensor::Of(sequences.positions, tokens.shape());
  Var x = Add(wte_(tokens), wpe_(positions));  // [N,C]
  x = embd_dropout(x, 0);
  for (int64_t l = 0; l < layers(); ++l) {
    x = options.gradient_checkpointing ? Recompute([=, this] { return Layer(l, x, sequences, resid_dropout); })
                                       : Layer(l, x, sequences, resid_dropout);  // [N,C]
  }
  if (!options.logit_rows.empty()) x = SelectRows(x, options.logit_rows);
  return lm_head_(ln_f_(x));  // [N,V]
}

Var Gpt2::Layer(int64_t l, const Var& x, const Sequences& sequences, const nn::Dropout& dropout) {
  Block& block = blocks_[static_cast<size_t>(l)];
  const uint64_t site = 1 + 2 * static_cast<uint64_t>(l);
  Var y = dropout.AddTo(x, block.attn_c_proj, Attend(block, block.ln_1(x), sequences, l), site);  // [N,C]
  return dropout.AddTo(y, block.mlp_c_proj, Mlp(block, block.ln_2(y)), site + 1);                 // [N,C]
}

Var Gpt2::Attend(Block& block, const Var& x, const Sequences& sequences, int64_t layer) {
  int64_t N = x.dim(0), C = x.dim(1), H = heads(), D = head_dim();
  Var qkv = block.c_attn(x);                                               // [N,3C]
  Var q = Reshape(SliceColumns(qkv, 0, C), {N, H, D});                     // [N,H,D]
  Var k = Reshape(SliceColumns(qkv, C, 2 * C), {N, H, D});                 // [N,H,D]
  Var v = Reshape(SliceColumns(qkv, 2 * C, 3 * C), {N, H, D});             // [N,H,D]
  return Reshape(nn::CausalAttention(q, k, v, sequences, layer), {N, C});  // [N,C]
}

Var Gpt2::Mlp(Block& block, const Var& x) {
  return Gelu(block.c_fc(x), gelu_);  // [N,C] -> [N,I]
}

void Gpt2::Visit(const ParameterVisitor& visit) {
  wte_.Visit("transformer.wte", visit);
  wpe_.Visit("transformer.wpe", visit);
  for (size_t l = 0; l < blocks_.size(); ++l) {
    std::string h = absl::StrCat("transformer.h.", l);
    Block& block = blocks_[l];
    block.ln_1.Visit(h + ".ln_1", visit);
    block.c_attn.Visit(h + ".attn.c_attn", visit);
    block.attn_c_proj.Visit(h + ".attn.c_proj", visit);
    block.ln_2.Visit(h + ".ln_2", visit);
    block.c_fc.Visit(h + ".mlp.c_fc", visit);
    block.mlp_c_proj.Visit(h + ".mlp.c_proj", visit);
  }
  ln_f_.Visit("transformer.ln_f", visit);
  if (!gpt2().tie_word_embeddings()) lm_head_.Visit("lm_head", visit);
}

void Gpt2::InitializeWeights(uint64_t seed) {
  nn::Initializer init(seed);
  double range = gpt2().initializer_range(), residual = range / std::sqrt(2.0 * static_cast<double>(layers()));
  Visit([&](std::string_view name, Var& parameter) {
    if (name.ends_with(".bias")) {
      init.Constant(parameter, 0);
    } else if (parameter.value().rank() == 1) {
      init.Constant(parameter, 1);
    } else {
      init.Normal(parameter, name.ends_with("c_proj.weight") ? residual : range);
    }
  });
}

std::vector<LanguageModel::ZeroTensor> Gpt2::ImpliedZeros() const {
  if (gpt2().bias()) return {};
  ModelConfig with_bias = config_;
  with_bias.mutable_gpt2()->set_bias(true);
  std::vector<ZeroTensor> zeros;
  Gpt2(with_bias).Visit([&](std::string_view name, Var& parameter) {
    if (name.ends_with(".bias")) zeros.push_back({std::string(name), parameter.shape()});
  });
  return zeros;
}

std::vector<int32_t> Gpt2::eos_token_ids() const {
  std::vector<int32_t> ids;
  if (eos_token_id() >= 0) ids.push_back(eos_token_id());
  ids.insert(ids.end(), gpt2().more_eos_token_ids().begin(), gpt2().more_eos_token_ids().end());
  return ids;
}

int64_t Gpt2::MultipliedWeights() {
  int64_t C = gpt2().n_embd();
  return layers() * (4 * C * C + 2 * C * Gpt2Inner(gpt2())) + C * vocab_size();
}

}  // namespace quern
