#include "nn/score/score.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "nn/decode/kv_cache.h"
#include "nn/decode/step_batch.h"
#include "tensor/memory.h"

namespace quern {
namespace {

using Ids = std::vector<int32_t>;

absl::Status CheckSequence(const LanguageModel& model, const Ids& ids, size_t index, bool windows) {
  if (ids.empty()) return absl::InvalidArgumentError(absl::StrCat("sequence ", index, " is empty."));
  if (!windows && static_cast<int64_t>(ids.size()) > model.max_positions()) {
    return absl::InvalidArgumentError(absl::StrCat("sequence ", index, " has ", ids.size(), " tokens; the model has ",
                                                   model.max_positions(), " positions."));
  }
  for (size_t t = 0; t < ids.size(); ++t) {
    if (ids[t] >= 0 && ids[t] < model.vocab_size()) continue;
    return absl::InvalidArgumentError(absl::StrCat("sequence ", index, ": token ", ids[t], " at index ", t,
                                                   " is outside the model's vocabulary of ", model.vocab_size(), "."));
  }
  return absl::OkStatus();
}

// The stretch of a sequence that the model reads at once: all of it, or a window.
struct Stretch {
  size_t sequence = 0, begin = 0;
};

// Collects what logits say of the tokens that follow, whatever pieces they come in.
class Scorer {
 public:
  Scorer(std::span<const Ids> sequences, std::vector<Stretch> stretches, const LogitsSink& sink)
      : sequences_(sequences), stretches_(std::move(stretches)), sink_(sink) {
    for (const Ids& ids : sequences) {
      scores_.emplace_back();
      scores_.back().logprobs.assign(ids.size(), std::numeric_limits<float>::quiet_NaN());
    }
  }

  // logits: f32 [rows, V], the rows [first, first + rows) of a stretch.
  void Take(size_t stretch, size_t first, const Tensor& logits) {
    const size_t s = stretches_[stretch].sequence;
    first += stretches_[stretch].begin;
    const Ids& ids = sequences_[s];
    std::vector<int32_t> targets;
    for (size_t t = first; t < first + static_cast<size_t>(logits.dim(0)); ++t) {
      targets.push_back(t + 1 < ids.size() ? ids[t + 1] : kIgnoreTarget);
    }
    Tensor logprobs = TargetLogProbabilities(logits, Tensor::Of(targets, {logits.dim(0)}));
    for (size_t i = 0; i < targets.size() && first + i + 1 < ids.size(); ++i) {
      scores_[s].logprobs[first + i + 1] = logprobs.data<float>()[i];
    }
    if (sink_) sink_(static_cast<int64_t>(s), static_cast<int64_t>(first), logits);
  }

  std::vector<SequenceScore> Finish() {
    for (SequenceScore& score : scores_) {
      for (size_t t = 1; t < score.logprobs.size(); ++t) score.sum += static_cast<double>(score.logprobs[t]);
    }
    return std::move(scores_);
  }

 private:
  std::span<const Ids> sequences_;
  std::vector<Stretch> stretches_;
  const LogitsSink& sink_;
  std::vector<SequenceScore> scores_;
};

absl::Status CheckInterrupt() {
  return Interrupted() ? absl::CancelledError("interrupted; nothing was written") : absl::OkStatus();
}

absl::Status ScoreWhole(LanguageModel& model, std::span<const Ids> sequences, const ScoreOptions& options,
                        Scorer& scorer) {
  NoGrad no_grad;
  for (size_t begin = 0; begin < sequences.size();) {
    RETURN_IF_ERROR(CheckInterrupt());
    Ids tokens, lengths;
    size_t end = begin;
    while (end < sequences.size() &&
           (end == begin || tokens.size() + sequences[end].size() <= static_cast<size_t>(options.batch_tokens))) {
      tokens.insert(tokens.end(), sequences[end].begin(), sequences[end].end());
      lengths.push_back(static_cast<int32_t>(sequences[end++].size()));
    }
    int64_t rows = static_cast<int64_t>(tokens.size());
    // Twice: the logits, and what computing them takes.
    RETURN_IF_ERROR(
        MemoryBudget::Reserve(2 * rows * model.vocab_size() * SizeOf(DType::kF32), Cpu(), "logits to score"));
    Sequences batch = Sequences::Of(lengths);
    Tensor logits = model.Forward(Tensor::Of(tokens, {rows}), batch, {}).value();
    for (size_t s = begin; s < end; ++s) {
      scorer.Take(s, 0, logits.Slice(0, batch.starts[s - begin], batch.starts[s - begin + 1]));
    }
    begin = end;
  }
  return absl::OkStatus();
}

// A sequence on its way through the cache.
struct InFlight {
  size_t sequence;
  std::vector<int32_t> blocks;
  size_t cached = 0;
};

// Up to `together` sequences at once, in pieces of `chunk` up to `decode_from` of their length, then token by token.
absl::Status ScoreCached(LanguageModel& model, std::span<const Ids> sequences, int32_t together, int32_t chunk,
                         double decode_from, Scorer& scorer) {
  size_t longest = 0;
  for (const Ids& ids : sequences) longest = std::max(longest, ids.size());
  int64_t blocks = KvCache::BlocksFor(static_cast<int64_t>(longest));
  int64_t flights = std::min<int64_t>(together, static_cast<int64_t>(sequences.size()));
  ASSIGN_OR_RETURN(std::unique_ptr<KvCache> cache, KvCache::Create(model, blocks * flights));
  std::vector<InFlight> in_flight;
  for (size_t next = 0; next < sequences.size() || !in_flight.empty();) {
    RETURN_IF_ERROR(CheckInterrupt());
    // One newcomer a step, so that pieces and single rows of different sequences meet in a batch.
    if (next < sequences.size() && static_cast<int64_t>(in_flight.size()) < flights) {
      in_flight.push_back(
          {next, *cache->Allocate(KvCache::BlocksFor(static_cast<int64_t>(sequences[next].size()))), 0});
      ++next;
    }
    StepBatch batch(*cache);
    std::vector<size_t> pieces;
    for (const InFlight& flight : in_flight) {
      const Ids& ids = sequences[flight.sequence];
      bool decodes = static_cast<double>(flight.cached) >= decode_from * static_cast<double>(ids.size());
      size_t piece = std::min(decodes ? size_t{1} : static_cast<size_t>(chunk), ids.size() - flight.cached);
      batch.Add(std::span<const int32_t>(ids).subspan(flight.cached, piece), static_cast<int32_t>(flight.cached),
                flight.blocks, WantLogits::kAllRows);
      pieces.push_back(piece);
    }
    Tensor logits = batch.Forward(model);
    int64_t row = 0;
    for (size_t i = 0; i < in_flight.size(); ++i) {
      int64_t rows = static_cast<int64_t>(pieces[i]);
      scorer.Take(in_flight[i].sequence, in_flight[i].cached, logits.Slice(0, row, row + rows));
      in_flight[i].cached += pieces[i];
      row += rows;
      if (in_flight[i].cached == sequences[in_flight[i].sequence].size()) cache->Free(in_flight[i].blocks);
    }
    std::erase_if(in_flight,
                  [&](const InFlight& flight) { return flight.cached == sequences[flight.sequence].size(); });
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SequenceScore>> Score(LanguageModel& model, std::span<const std::vector<int32_t>> sequences,
                                                 const ScoreOptions& options, const LogitsSink& sink) {
  if (options.batch_tokens < 1 || options.batch_size < 1 || options.chunk < 1) {
    return absl::InvalidArgumentError("batch_tokens, batch_size and chunk must be at least 1.");
  }
  if (options.window < 0 || options.window > model.max_positions()) {
    return absl::InvalidArgumentError(absl::StrCat("window is ", options.window, "; it must be from 0 to the model's ",
                                                   model.max_positions(), " positions."));
  }
  std::vector<Stretch> stretches;
  std::vector<Ids> read;  // of each stretch
  for (size_t i = 0; i < sequences.size(); ++i) {
    const Ids& ids = sequences[i];
    RETURN_IF_ERROR(CheckSequence(model, ids, i, options.window > 0));
    const size_t window = options.window > 0 ? static_cast<size_t>(options.window) : ids.size();
    for (size_t begin = 0; begin < ids.size(); begin += window) {
      stretches.push_back({i, begin});
      const auto first = ids.begin() + static_cast<int64_t>(begin);
      read.emplace_back(first, first + static_cast<int64_t>(std::min(window, ids.size() - begin)));
    }
  }
  Scorer scorer(sequences, std::move(stretches), sink);
  if (sequences.empty()) return scorer.Finish();
  switch (options.path) {
    case ScorePath::kTrain:
      RETURN_IF_ERROR(ScoreWhole(model, read, options, scorer));
      break;
    case ScorePath::kCached:
      RETURN_IF_ERROR(ScoreCached(model, read, /*together=*/1, options.chunk, /*decode_from=*/1, scorer));
      break;
    case ScorePath::kEngine:
      RETURN_IF_ERROR(ScoreCached(model, read, options.batch_size, options.chunk, /*decode_from=*/0.5, scorer));
      break;
  }
  return scorer.Finish();
}

LossSum EvaluateWindows(LanguageModel& model, const Tensor& inputs, const Tensor& targets, int64_t block,
                        int64_t batch_windows, std::vector<float>* each) {
  CHECK(inputs.rank() == 1 && inputs.shape() == targets.shape() && block > 0 && inputs.dim(0) % block == 0 &&
        batch_windows > 0)
      << "EvaluateWindows: i32 [windows * " << block << "] twice; got inputs=" << inputs << ", targets=" << targets;
  NoGrad no_grad;
  LossSum sum;
  int64_t windows = inputs.dim(0) / block;
  for (int64_t first = 0; first < windows; first += batch_windows) {
    int64_t count = std::min(batch_windows, windows - first), begin = first * block, end = (first + count) * block;
    Tensor logits = model.Forward(inputs.Slice(0, begin, end), Sequences::Equal(count, block), {}).value();
    Tensor wanted = targets.Slice(0, begin, end), losses = CrossEntropy(logits, wanted);
    for (int64_t i = 0; i < end - begin; ++i) {
      sum.nats += static_cast<double>(losses.data<float>()[i]);
      if (wanted.data<int32_t>()[i] == kIgnoreTarget) continue;
      ++sum.tokens;
      if (each != nullptr) each->push_back(losses.data<float>()[i]);
    }
  }
  return sum;
}

}  // namespace quern
