// Log-likelihoods of token sequences: the one place where train, eval and `quern score` get them from.
#ifndef QUERN_NN_SCORE_SCORE_H_
#define QUERN_NN_SCORE_SCORE_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "nn/language_model.h"

namespace quern {

// Which way through the one forward. All give the same bits in f32.
enum class ScorePath {
  kTrain,   // whole sequences without a cache
  kCached,  // through the KV cache in chunks
  kEngine,  // as the serving engine runs them: chunks and decode rows of several sequences mixed
};

struct ScoreOptions {
  ScorePath path = ScorePath::kTrain;
  int32_t batch_tokens = 2048;  // rows per forward (kTrain)
  int32_t batch_size = 8;       // sequences together (kEngine)
  int32_t chunk = 64;           // tokens per chunk (kCached, kEngine)
  // 0: each sequence is read as a whole. Else as windows of so many tokens, [0, window), [window, 2 * window), ...; a
  // window's last row speaks of the first token of the next. So eval's mode "token" cuts texts (eval/windows.h).
  int64_t window = 0;
};

struct SequenceScore {
  std::vector<float> logprobs;  // [T]; entry t is log p(ids[t] | those before it in its window); entry 0 is NaN
  double sum = 0;               // of entries 1..T-1, added in order in f64
};

// Receives logits rows as they are computed: f32 [rows, V], row i = logits after reading ids[first_row + i] of
// `sequence`.
using LogitsSink = std::function<void(int64_t sequence, int64_t first_row, const Tensor& logits)>;

// ResourceExhausted: the logits of a batch do not fit in memory. InvalidArgument: a sequence is empty, longer than the
// model's positions (without a window), or holds a token out of range (says which, where). Cancelled after an
// interrupt.
absl::StatusOr<std::vector<SequenceScore>> Score(LanguageModel& model, std::span<const std::vector<int32_t>> sequences,
                                                 const ScoreOptions& options, const LogitsSink& sink = {});

struct LossSum {
  double nats = 0;
  int64_t tokens = 0;  // targets that count
};
// The loss over given windows: inputs and targets i32 [windows * block], equal sequences, `batch_windows` of them in
// one forward. What training's evaluation and perplexity share: summed in f64 in the order of the windows, whatever
// the batch. `each`, unless null, receives the loss of every target that counts, in order.
LossSum EvaluateWindows(LanguageModel& model, const Tensor& inputs, const Tensor& targets, int64_t block,
                        int64_t batch_windows, std::vector<float>* each = nullptr);

}  // namespace quern

#endif  // QUERN_NN_SCORE_SCORE_H_
