// One optimizer step: micro-batches forward and backward, their gradients summed, clipped, AdamW.
//
//   TrainStep step(*model, options);
//   StepResult result = step.Run(micro_batches, learning_rate);
//
// The loss is the mean over all tokens of the step. Gradients of micro-batches are summed in a binary tree over their
// index, so that any number of ranks that share them out may sum the same way: ((g0 + g1) + (g2 + g3)) + g4.
#ifndef QUERN_TRAIN_TRAIN_STEP_H_
#define QUERN_TRAIN_TRAIN_STEP_H_

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "data/loader.h"
#include "nn/language_model.h"
#include "train/parameter_arena.h"

namespace quern {

struct TrainStepOptions {
  int64_t block = 128;  // tokens per sequence
  double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-8;
  double weight_decay = 0.1;  // of matrices and tables
  double max_grad_norm = 1;   // 0: no clipping
  uint64_t seed = 0;          // of dropout
  // Activations are computed again in the backward pass: the same bits, more time, less memory.
  bool gradient_checkpointing = false;
};

struct StepResult {
  double loss = 0;       // nats per token, before the update
  double grad_norm = 0;  // before clipping
  // Loss or gradient were no longer finite: nothing was updated.
  bool diverged = false;
};

class TrainStep {
 public:
  // `model` outlives this. Takes 16 bytes per parameter, and 4 more for each level of the tree (MemoryBytes).
  TrainStep(LanguageModel& model, const TrainStepOptions& options);
  static int64_t MemoryBytes(int64_t parameters, int64_t micro_batches);

  StepResult Run(std::span<const TokenBatch> micro_batches, double learning_rate);
  // The first half: fills the gradients, returns the loss. For checks before a run.
  double Gradients(std::span<const TokenBatch> micro_batches);

  int64_t steps() const { return steps_; }
  ParameterArena& arena() { return arena_; }
  // First and second moments, and the gradient of the last step (not clipped): arenas.
  Tensor& first_moment() { return m_; }
  Tensor& second_moment() { return v_; }
  const Tensor& gradient() const { return gradient_; }
  // After weights and moments were put in from a checkpoint.
  void set_steps(int64_t steps) { steps_ = steps; }

 private:
  double AddMicroBatch(const TokenBatch& batch, uint32_t index, float scale);
  Tensor TakeArena();
  void Update(double grad_norm, double learning_rate);

  LanguageModel& model_;
  TrainStepOptions options_;
  ParameterArena arena_;
  Tensor m_, v_, gradient_;
  std::vector<std::pair<int, Tensor>> tree_;  // (level, sum of 2^level micro-batches), levels falling
  std::vector<Tensor> spare_;
  int64_t steps_ = 0;
};

}  // namespace quern

#endif  // QUERN_TRAIN_TRAIN_STEP_H_
