#include "nn/decode/session.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "nn/decode/kv_cache.h"
#include "nn/decode/request.h"
#include "nn/decode/sampler.h"
#include "nn/decode/step_batch.h"

namespace quern {

absl::StatusOr<std::unique_ptr<Session>> Session::Create(LanguageModel* model, const SessionOptions& options) {
  SessionOptions chosen = options;
  if (options.prefill_chunk < 1) return absl::InvalidArgumentError("prefill_chunk must be at least 1.");
  if (options.positions < 0 || options.positions > model->max_positions()) {
    return absl::InvalidArgumentError(absl::StrCat("positions is ", options.positions, "; the model has 1 to ",
                                                   model->max_positions(), ", and 0 takes as many as fit in memory."));
  }
  if (options.positions == 0) chosen.positions = model->max_positions();
  absl::StatusOr<std::unique_ptr<KvCache>> cache = KvCache::Create(*model, KvCache::BlocksFor(chosen.positions));
  while (absl::IsResourceExhausted(cache.status()) && options.positions == 0 && chosen.positions > kKeyBlock) {
    chosen.positions /= 2;
    cache = KvCache::Create(*model, KvCache::BlocksFor(chosen.positions));
  }
  RETURN_IF_ERROR(cache.status());
  return std::unique_ptr<Session>(new Session(model, chosen, *std::move(cache)));
}

Session::Session(LanguageModel* model, const SessionOptions& options, std::unique_ptr<KvCache> cache)
    : model_(model),
      positions_(options.positions),
      prefill_chunk_(options.prefill_chunk),
      cache_(std::move(cache)),
      blocks_(*cache_->Allocate(cache_->blocks())) {}

Session::~Session() = default;

absl::Status Session::Append(std::span<const int32_t> ids) {
  RETURN_IF_ERROR(ValidateTokens(*model_, ids));
  if (static_cast<int64_t>(ids.size()) > room()) {
    return absl::InvalidArgumentError(absl::StrCat("prompt: has ", ids.size(), " tokens, ",
                                                   static_cast<int64_t>(ids.size()) - room(), " more than the ",
                                                   positions_, " positions have room for."));
  }
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  return absl::OkStatus();
}

absl::Status Session::ValidateRequest(const DecodeRequest& request) const {
  RETURN_IF_ERROR(ValidateTokens(*model_, request.prompt));
  RETURN_IF_ERROR(ValidateAnswer(request));
  const int64_t length = size() + static_cast<int64_t>(request.prompt.size());
  if (length == 0) return absl::InvalidArgumentError("prompt: is empty, and so is the text before it.");
  if (length + request.max_new_tokens > positions_) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the text (", length, " tokens) and max_new_tokens (", request.max_new_tokens, ") are ",
        length + request.max_new_tokens - positions_, " tokens more than the ", positions_, " positions."));
  }
  return absl::OkStatus();
}

Tensor Session::Read(int64_t tokens) {
  tokens = std::min(tokens, size() - cached_);
  const bool last = cached_ + tokens == size();
  StepBatch batch(*cache_);
  batch.Add(std::span<const int32_t>(ids_).subspan(static_cast<size_t>(cached_), static_cast<size_t>(tokens)),
            static_cast<int32_t>(cached_), blocks_, last ? WantLogits::kLastRow : WantLogits::kNone);
  Tensor logits = batch.Forward(*model_);
  cached_ += tokens;
  return logits;
}

absl::StatusOr<GenerateResult> Session::Generate(const DecodeRequest& request, const SessionHooks& hooks) {
  RETURN_IF_ERROR(ValidateRequest(request));
  RETURN_IF_ERROR(Append(request.prompt));
  cached_ = std::min(cached_, size() - 1);  // the last id's logits are wanted again
  GenerateResult result;
  const double start = MonotonicSeconds();
  double first = start;
  while (result.finish == FinishReason::kNone) {
    if (hooks.keep_going && !hooks.keep_going()) {
      result.finish = FinishReason::kCancelled;
      break;
    }
    const Tensor logits = Read(prefill_chunk_);
    if (cached_ < size()) continue;
    const std::span<const float> row(logits.data<float>(), static_cast<size_t>(logits.dim(1)));
    const auto index = static_cast<uint32_t>(result.tokens.size());
    const int32_t token = SampleToken(row, request.sampling, index);
    if (result.tokens.empty()) first = MonotonicSeconds();
    ids_.push_back(token);
    result.tokens.push_back(token);
    result.logprobs.push_back(
        TargetLogProbabilities(logits, Tensor::Of(std::vector<int32_t>{token}, {1})).data<float>()[0]);
    result.finish = FinishAfter(request, static_cast<int32_t>(result.tokens.size()), token);
    const bool go_on = !hooks.on_token || hooks.on_token(token);
    if (!go_on && result.finish == FinishReason::kNone) result.finish = FinishReason::kCancelled;
  }
  result.prefill_seconds = first - start;
  result.decode_seconds = MonotonicSeconds() - first;
  return result;
}

void Session::Truncate(int64_t size) {
  CHECK(size >= 0 && size <= this->size()) << "Session: keeps " << size << " of " << this->size() << " ids";
  ids_.resize(static_cast<size_t>(size));
  cached_ = std::min(cached_, size);
}

void Session::Erase(int64_t begin, int64_t end) {
  CHECK(begin >= 0 && begin <= end && end <= size())
      << "Session: erases [" << begin << ", " << end << ") of " << size() << " ids";
  if (begin == end) return;
  ids_.erase(ids_.begin() + begin, ids_.begin() + end);
  cached_ = std::min(cached_, begin);
}

}  // namespace quern
