#include "train/train_step.h"

#include <bit>
#include <cmath>

#include "autograd/functions.h"
#include "base/log.h"
#include "kernels/adamw/adamw.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/global_norm/global_norm.h"

namespace quern {

TrainStep::TrainStep(LanguageModel& model, const TrainStepOptions& options)
    : model_(model), options_(options), arena_(model), m_(arena_.NewArena()), v_(arena_.NewArena()) {
  CHECK_LE(options_.block, model_.max_positions()) << "TrainStep: sequences longer than the model's positions.";
}

int64_t TrainStep::MemoryBytes(int64_t parameters, int64_t micro_batches) {
  const int64_t gradients = std::bit_width(static_cast<uint64_t>(micro_batches));
  return parameters * static_cast<int64_t>(sizeof(float)) * (3 + gradients);
}

StepResult TrainStep::Run(std::span<const TokenBatch> micro_batches, double learning_rate) {
  StepResult result;
  result.loss = Gradients(micro_batches);
  result.grad_norm = GlobalNorm(gradient_);
  result.diverged = !std::isfinite(result.loss) || !std::isfinite(result.grad_norm);
  if (!result.diverged) Update(result.grad_norm, learning_rate);
  return result;
}

double TrainStep::Gradients(std::span<const TokenBatch> micro_batches) {
  CHECK(!micro_batches.empty()) << "TrainStep: no micro-batch.";
  if (gradient_.defined()) spare_.push_back(std::move(gradient_));
  int64_t tokens = 0;
  for (const TokenBatch& batch : micro_batches) tokens += batch.inputs.elements();
  const float scale = static_cast<float>(1.0 / static_cast<double>(tokens));
  double loss = 0;
  for (size_t i = 0; i < micro_batches.size(); ++i) {
    loss += AddMicroBatch(micro_batches[i], static_cast<uint32_t>(i), scale);
  }
  while (tree_.size() > 1) {
    AddInto(tree_[tree_.size() - 2].second, tree_.back().second);
    spare_.push_back(std::move(tree_.back().second));
    tree_.pop_back();
  }
  gradient_ = std::move(tree_.back().second);
  tree_.clear();
  return loss;
}

// Adds the gradient of one micro-batch to the tree, returns its share of the loss.
double TrainStep::AddMicroBatch(const TokenBatch& batch, uint32_t index, float scale) {
  Tensor gradients = TakeArena();
  arena_.BindGradients(gradients);
  ForwardOptions forward;
  forward.training = true;
  forward.seed = options_.seed;
  forward.step = static_cast<uint32_t>(steps_ + 1);
  forward.micro_batch = index;
  forward.gradient_checkpointing = options_.gradient_checkpointing;
  const int64_t sequences = batch.inputs.elements() / options_.block;
  Var loss = CrossEntropy(model_.Forward(batch.inputs, Sequences::Equal(sequences, options_.block), forward),
                          batch.targets, scale);
  const double value = static_cast<double>(loss.value().data<float>()[0]);
  Backward(loss);
  arena_.ZeroUntouched(gradients);
  tree_.emplace_back(0, std::move(gradients));
  while (tree_.size() > 1 && tree_[tree_.size() - 2].first == tree_.back().first) {
    auto& left = tree_[tree_.size() - 2];
    AddInto(left.second, tree_.back().second);
    ++left.first;
    spare_.push_back(std::move(tree_.back().second));
    tree_.pop_back();
  }
  return value;
}

Tensor TrainStep::TakeArena() {
  if (spare_.empty()) return arena_.NewArena();
  Tensor arena = std::move(spare_.back());
  spare_.pop_back();
  return arena;
}

void TrainStep::Update(double grad_norm, double learning_rate) {
  AdamWOptions options;
  options.learning_rate = static_cast<float>(learning_rate);
  options.beta1 = static_cast<float>(options_.beta1);
  options.beta2 = static_cast<float>(options_.beta2);
  options.eps = static_cast<float>(options_.epsilon);
  options.step = ++steps_;
  if (options_.max_grad_norm > 0 && grad_norm > options_.max_grad_norm) {
    options.grad_scale = static_cast<float>(options_.max_grad_norm / grad_norm);
  }
  const int64_t cut = arena_.decaying(), end = arena_.elements();
  for (bool decays : {true, false}) {
    const int64_t from = decays ? 0 : cut, to = decays ? cut : end;
    if (from == to) continue;
    options.weight_decay = decays ? static_cast<float>(options_.weight_decay) : 0.0f;
    Tensor weights = arena_.weights().Slice(0, from, to), m = m_.Slice(0, from, to), v = v_.Slice(0, from, to);
    AdamW(options, weights, weights, m, v, gradient_.Slice(0, from, to));
  }
}

}  // namespace quern
