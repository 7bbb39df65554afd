#include "cli/bench/workload.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/rng.h"
#include "base/status_macros.h"
#include "data/loader.h"
#include "kernels/elementwise/elementwise.h"
#include "nn/decode/kv_cache.h"
#include "nn/decode/step_batch.h"
#include "tensor/memory.h"
#include "train/train_step.h"

namespace quern::cli {
namespace {

std::vector<int32_t> RandomTokens(const LanguageModel& model, int64_t count, uint64_t seed) {
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    const Philox4 words = RandomWords({seed, RngStream::kTest}, 0, 0, static_cast<uint64_t>(i));
    ids.push_back(static_cast<int32_t>(words[0] % static_cast<uint64_t>(model.vocab_size())));
  }
  return ids;
}

// What one forward pass does at least; the backward pass does twice that.
struct ForwardCost {
  double weights;        // multiplied by every token, the head left out
  double head;           // multiplied by every token that gets logits
  double attention_key;  // flops of one token's attention to one key
};

ForwardCost CostOf(LanguageModel& model) {
  double head = 0;
  model.Visit([&](std::string_view, Var& parameter) {  // the table, which the head shares or is shaped like
    if (head == 0 && parameter.shape().rank() == 2 && parameter.dim(0) == model.vocab_size()) {
      head = static_cast<double>(parameter.value().elements());
    }
  });
  const double all = model.TrainingFlopsPerToken(0) / 6;
  return {all - head, head, (model.TrainingFlopsPerToken(1) - model.TrainingFlopsPerToken(0)) / 3};
}

absl::StatusOr<Workload> MakeTraining(LanguageModel& model, const BenchOptions& options) {
  const int64_t tokens = options.batch_size * options.block_size, parameters = model.CountParameters();
  const int64_t logits = tokens * model.vocab_size() * static_cast<int64_t>(sizeof(float));
  RETURN_IF_ERROR(MemoryBudget::Reserve(TrainStep::MemoryBytes(parameters, 1) + logits, Cpu(),
                                        "weights, gradients, moments and logits"));
  struct State {
    State(LanguageModel& model, const TrainStepOptions& options) : step(model, options) {}
    TrainStep step;
    TokenBatch batch;
  };
  TrainStepOptions step_options;
  step_options.block = options.block_size;
  step_options.gradient_checkpointing = options.gradient_checkpointing;
  auto state = std::make_shared<State>(model, step_options);
  state->batch.inputs = Tensor::Of(RandomTokens(model, tokens, options.seed), {tokens});
  state->batch.targets = Tensor::Of(RandomTokens(model, tokens, options.seed + 1), {tokens});
  const ForwardCost cost = CostOf(model);
  const double keys = static_cast<double>(options.block_size + 1) / 2;
  Workload work;
  work.tokens = tokens;
  work.flops = static_cast<double>(tokens) * 3 * (2 * (cost.weights + cost.head) + cost.attention_key * keys);
  // Per parameter: read forward and backward; the gradient written, and read by norm and update; weight and two moments
  // read and written by the update.
  work.bytes = static_cast<double>(parameters) * sizeof(float) * (2 + 3 + 6);
  work.step = [state] { state->step.Run({&state->batch, 1}, /*learning_rate=*/1e-4); };
  return work;
}

// Sequences of `depth` cached tokens that read `rows` more, again and again.
absl::StatusOr<Workload> MakeCached(LanguageModel& model, const BenchOptions& options, int64_t rows) {
  struct State {
    std::unique_ptr<KvCache> cache;
    std::vector<std::vector<int32_t>> blocks;
    std::vector<int32_t> tokens;
  };
  auto state = std::make_shared<State>();
  const int64_t each = KvCache::BlocksFor(options.depth + rows);
  ASSIGN_OR_RETURN(state->cache, KvCache::Create(model, each * options.batch_size));
  for (KvBlocks& layer : state->cache->layers()) {
    Fill(layer.k, 0.01f);
    Fill(layer.v, 0.01f);
  }
  for (int64_t s = 0; s < options.batch_size; ++s) state->blocks.push_back(*state->cache->Allocate(each));
  state->tokens = RandomTokens(model, rows, options.seed);
  const ForwardCost cost = CostOf(model);
  const double batch = static_cast<double>(options.batch_size), tokens = batch * static_cast<double>(rows);
  const double keys = static_cast<double>(options.depth) + static_cast<double>(rows + 1) / 2;
  const double cached = batch * static_cast<double>(options.depth + rows * 2);  // read, and the new ones written first
  Workload work;
  work.tokens = options.batch_size * rows;
  work.flops = tokens * (2 * cost.weights + cost.attention_key * keys) + batch * 2 * cost.head;
  work.bytes = sizeof(float) * (cost.weights + cost.head +
                                cached * static_cast<double>(2 * model.layers() * model.kv_heads() * model.head_dim()));
  work.mostly_reads = true;
  work.step = [state, &model, depth = static_cast<int32_t>(options.depth)] {
    StepBatch batch(*state->cache);
    for (const auto& blocks : state->blocks) batch.Add(state->tokens, depth, blocks, WantLogits::kLastRow);
    batch.Forward(model);
  };
  return work;
}

}  // namespace

absl::StatusOr<Workload> MakeWorkload(LanguageModel& model, const BenchOptions& options) {
  const bool training = options.mode == "train", prefill = options.mode == "prefill";
  if (!training && !prefill && options.mode != "decode") {
    return absl::InvalidArgumentError(absl::StrCat("no mode \"", options.mode, "\": train, prefill or decode"));
  }
  if (options.batch_size < 1 || options.block_size < 1 || options.depth < 0 || options.batch_size > (1 << 20)) {
    return absl::InvalidArgumentError("batch_size and block_size are 1 or more, depth is 0 or more");
  }
  if (training && options.depth != 0)
    return absl::InvalidArgumentError("depth is of prefill and decode: training has no cache");
  if (!training && options.gradient_checkpointing)
    return absl::InvalidArgumentError("gradient_checkpointing is of training: nothing else has a backward pass");
  const int64_t rows = options.mode == "decode" ? 1 : options.block_size;
  if (rows > model.max_positions() || options.depth > model.max_positions() - rows) {
    return absl::InvalidArgumentError(absl::StrCat(
        "depth ", options.depth, " and ", rows, " more tokens: the model has ", model.max_positions(), " positions"));
  }
  return training ? MakeTraining(model, options) : MakeCached(model, options, rows);
}

}  // namespace quern::cli
