// Llama: Touvron et al., "LLaMA: Open and Efficient Foundation Language Models" (2023), and the models of its shape:
// Llama 1 to 3, Mistral without a sliding window, Qwen2 (biases on q, k and v).
//
// A decoder-only transformer with rotary positions, RMSNorm before each sublayer and after the last block, grouped
// queries and a SwiGLU MLP. Names and layouts are those of the Hugging Face file; weights are [out, in], RoPE pairs
// channels (i, i + D/2).
#ifndef QUERN_NN_MODELS_LLAMA_H_
#define QUERN_NN_MODELS_LLAMA_H_

#include <cstdint>
#include <vector>

#include "nn/dropout.h"
#include "nn/embedding.h"
#include "nn/language_model.h"
#include "nn/linear.h"
#include "nn/norm.h"
#include "nn/rotary.h"

namespace quern {

class Llama : public LanguageModel {
 public:
  // `config` is valid (ValidateLlama). The parameters are skeletons (nn/parameter.h).
  explicit Llama(const ModelConfig& config);

  Var Forward(const Tensor& tokens, const Sequences& sequences, const ForwardOptions& options) override;
  void Visit(const ParameterVisitor& visit) override;
  // N(0, initializer_range) for the table and all projections, biases 0, gains 1.
  void InitializeWeights(uint64_t seed) override;

  const ModelConfig& config() const override { return config_; }
  int64_t vocab_size() const override { return llama().vocab_size(); }
  int64_t max_positions() const override { return llama().max_position_embeddings(); }
  int64_t layers() const override { return llama().num_hidden_layers(); }
  int64_t heads() const override { return llama().num_attention_heads(); }
  int64_t kv_heads() const override;
  int64_t head_dim() const override;
  int32_t bos_token_id() const override { return llama().bos_token_id(); }
  int32_t eos_token_id() const override { return llama().eos_token_id(); }
  std::vector<int32_t> eos_token_ids() const override;

 protected:
  int64_t MultipliedWeights() override;

 private:
  struct Block {
    nn::RmsNorm input_layernorm, post_attention_layernorm;
    nn::Linear q_proj, k_proj, v_proj, o_proj;  // C -> H D, Hkv D, Hkv D; H D -> C
    nn::Linear gate_proj, up_proj, down_proj;   // C -> I, C -> I, I -> C
  };
  const LlamaConfig& llama() const { return config_.llama(); }
  Var Layer(int64_t l, const Var& x, const Sequences& sequences, const RopeTable& rope, const nn::Dropout& dropout);
  // Up to the projection that ends the sublayer: AddTo does that one.
  Var Attend(Block& block, const Var& x, const Sequences& sequences, const RopeTable& rope, int64_t layer);
  Var Mlp(Block& block, const Var& x);

  ModelConfig config_;
  nn::Rotary rotary_;
  nn::Embedding embed_tokens_;
  std::vector<Block> blocks_;
  nn::RmsNorm norm_;
  nn::Linear lm_head_;
};

}  // namespace quern

#endif  // QUERN_NN_MODELS_LLAMA_H_
