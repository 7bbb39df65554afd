// LanguageModel: tokens in, logits out. The one forward that training, scoring and serving share.
#ifndef QUERN_NN_LANGUAGE_MODEL_H_
#define QUERN_NN_LANGUAGE_MODEL_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "autograd/var.h"
#include "base/rng.h"
#include "nn/model_config.pb.h"
#include "nn/sequences.h"

namespace quern {

struct ForwardOptions {
  // Dropout is applied only with `training`; its masks depend on (seed, step, micro_batch) alone.
  bool training = false;
  uint64_t seed = 0;
  uint32_t step = 0, micro_batch = 0;
  // Keeps the input of each block and computes the rest again in Backward (autograd/recompute.h): the same bits.
  bool gradient_checkpointing = false;
  // Rows of N that get logits, ascending; empty means all. A serving step asks for the last row of each sequence only.
  std::vector<int32_t> logit_rows;
};

// Called for every parameter once, in the order of the file; `name` is the Hugging Face name
// ("transformer.h.0.ln_1.weight").
using ParameterVisitor = std::function<void(std::string_view name, Var& parameter)>;

class LanguageModel {
 public:
  virtual ~LanguageModel() = default;

  // tokens: i32 [N], each in [0, vocab_size) (checked at the edges); returns logits f32 [N, V] or [logit_rows, V].
  // Under NoGrad no tape is built.
  virtual Var Forward(const Tensor& tokens, const Sequences& sequences, const ForwardOptions& options) = 0;

  // A tied parameter is visited once, under its first name.
  virtual void Visit(const ParameterVisitor& visit) = 0;

  virtual const ModelConfig& config() const = 0;
  virtual int64_t vocab_size() const = 0;
  virtual int64_t max_positions() const = 0;  // longest sequence
  virtual int64_t layers() const = 0;
  virtual int64_t heads() const = 0;
  virtual int64_t kv_heads() const = 0;
  virtual int64_t head_dim() const = 0;
  virtual int32_t bos_token_id() const = 0;  // -1: none
  virtual int32_t eos_token_id() const = 0;
  // All that end a text: eos_token_id() first; empty for none.
  virtual std::vector<int32_t> eos_token_ids() const = 0;

  int64_t CountParameters();
  // Floating-point operations of one forward and backward pass per token, 6 per weight that is multiplied plus
  // attention's 12 * layers * width * context (Chowdhery et al., "PaLM", 2022, appendix B). Tables that are only looked
  // up in cost nothing.
  double TrainingFlopsPerToken(int64_t context);

  // ---- For nn/models and nn/model_folder.

  // Random weights: functions of `seed` and of each parameter's index in Visit's order alone.
  virtual void InitializeWeights(uint64_t seed) = 0;
  // Tensors that the file holds for other readers' sake and that this model does without: all zero.
  struct ZeroTensor {
    std::string name;
    Shape shape;
  };
  virtual std::vector<ZeroTensor> ImpliedZeros() const { return {}; }

 protected:
  // Weights that a token is multiplied by in one forward pass.
  virtual int64_t MultipliedWeights() = 0;
};

// A model of `config` with random weights (as the papers say; functions of `seed` alone). InvalidArgument names the
// field that does not fit (n_head does not divide n_embd, ...). ResourceExhausted when it would not fit in memory.
absl::StatusOr<std::unique_ptr<LanguageModel>> MakeModel(const ModelConfig& config, uint64_t seed);

}  // namespace quern

#endif  // QUERN_NN_LANGUAGE_MODEL_H_
