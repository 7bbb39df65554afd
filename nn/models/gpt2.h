// GPT-2: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019).
//
// A decoder-only transformer with learned positions, LayerNorm before each sublayer and after the last block, GELU,
// biases, and an output head that shares the token table. Names and layouts are those of the Hugging Face file; its
// Conv1D weights are [in, out].
#ifndef QUERN_NN_MODELS_GPT2_H_
#define QUERN_NN_MODELS_GPT2_H_

#include <cstdint>
#include <string>
#include <vector>

#include "nn/dropout.h"
#include "nn/embedding.h"
#include "nn/language_model.h"
#include "nn/linear.h"
#include "nn/norm.h"

namespace quern {

class Gpt2 : public LanguageModel {
 public:
  // `config` is valid (ValidateGpt2). The parameters are skeletons (nn/parameter.h).
  explicit Gpt2(const ModelConfig& config);

  Var Forward(const Tensor& tokens, const Sequences& sequences, const ForwardOptions& options) override;
  void Visit(const ParameterVisitor& visit) override;
  // N(0, initializer_range) for tables and projections, those that end a residual branch divided by sqrt(2 n_layer);
  // biases 0, gains 1.
  void InitializeWeights(uint64_t seed) override;
  std::vector<ZeroTensor> ImpliedZeros() const override;

  const ModelConfig& config() const override { return config_; }
  int64_t vocab_size() const override { return gpt2().vocab_size(); }
  int64_t max_positions() const override { return gpt2().n_positions(); }
  int64_t layers() const override { return gpt2().n_layer(); }
  int64_t heads() const override { return gpt2().n_head(); }
  int64_t kv_heads() const override { return gpt2().n_head(); }
  int64_t head_dim() const override { return gpt2().n_embd() / gpt2().n_head(); }
  int32_t bos_token_id() const override { return gpt2().bos_token_id(); }
  int32_t eos_token_id() const override { return gpt2().eos_token_id(); }
  std::vector<int32_t> eos_token_ids() const override;

 protected:
  int64_t MultipliedWeights() override;

 private:
  struct Block {
    nn::LayerNorm ln_1, ln_2;
    nn::Linear c_attn, attn_c_proj;  // C -> 3C: q, k, v side by side; C -> C
    nn::Linear c_fc, mlp_c_proj;     // C -> inner -> C
  };
  const Gpt2Config& gpt2() const { return config_.gpt2(); }
  Var Layer(int64_t l, const Var& x, const Sequences& sequences, const nn::Dropout& dropout);
  // Up to the projection that ends the sublayer: AddTo does that one.
  Var Attend(Block& block, const Var& x, const Sequences& sequences, int64_t layer);
  Var Mlp(Block& block, const Var& x);

  ModelConfig config_;
  GeluKind gelu_;
  nn::Embedding wte_, wpe_;
  std::vector<Block> blocks_;
  nn::LayerNorm ln_f_;
  nn::Linear lm_head_;
};

}  // namespace quern

#endif  // QUERN_NN_MODELS_GPT2_H_
