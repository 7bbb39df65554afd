#include "nn/decode/decoder.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/status_macros.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "nn/decode/kv_cache.h"
#include "nn/decode/request.h"
#include "nn/decode/sampler.h"
#include "nn/decode/step_batch.h"
#include "tensor/memory.h"

namespace quern {
namespace {

struct Running {
  DecodeRequest request;
  std::vector<int32_t> blocks;
  int32_t cached = 0;     // positions whose keys and values are in the cache
  int32_t generated = 0;  // tokens given out
  int32_t last = -1;      // the latest of them, which is not cached yet
  bool cancelled = false;

  int32_t prompt_left() const { return static_cast<int32_t>(request.prompt.size()) - cached; }
  bool decoding() const { return generated > 0; }
};

struct Piece {
  SequenceId id;
  int32_t tokens;
};

absl::Status ValidateRequest(const LanguageModel& model, const DecodeRequest& request) {
  if (request.prompt.empty()) return absl::InvalidArgumentError("prompt: is empty; it needs at least one token.");
  RETURN_IF_ERROR(ValidateTokens(model, request.prompt));
  RETURN_IF_ERROR(ValidateAnswer(request));
  int64_t length = static_cast<int64_t>(request.prompt.size()) + request.max_new_tokens;
  if (length > model.max_positions()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "prompt (", request.prompt.size(), " tokens) and max_new_tokens (", request.max_new_tokens, ") are ",
        length - model.max_positions(), " tokens more than the model's ", model.max_positions(), " positions."));
  }
  return absl::OkStatus();
}

// The last token given out is never read back.
int64_t BlocksNeeded(const DecodeRequest& request) {
  return KvCache::BlocksFor(static_cast<int64_t>(request.prompt.size()) + request.max_new_tokens - 1);
}

// Eight contexts, or as many halves of that as leave at least as much memory again for everything else.
int64_t DefaultCacheTokens(const LanguageModel& model) {
  int64_t tokens = 8 * model.max_positions();
  auto fits = [&] {
    int64_t bytes = 0;
    return !__builtin_mul_overflow(2 * KvCache::BlocksFor(tokens), KvCache::BlockBytes(model), &bytes) &&
           MemoryBudget::Reserve(bytes, Cpu(), "").ok();
  };
  while (tokens > kKeyBlock && !fits()) tokens /= 2;
  return tokens;
}

}  // namespace

std::string_view Name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kNone:
      return "";
    case FinishReason::kStop:
      return "stop";
    case FinishReason::kLength:
      return "length";
    case FinishReason::kCancelled:
      return "cancelled";
  }
  return "";
}

struct Decoder::Impl {
  LanguageModel* model;
  DecoderOptions options;
  std::unique_ptr<KvCache> cache;
  std::map<SequenceId, Running> sequences;  // in order of arrival
  SequenceId next_id = 1;
  SequenceId next_turn = 0;  // where decode rows start when not all fit in a batch

  void DropCancelled(std::vector<DecodeOutput>& outputs) {
    for (auto it = sequences.begin(); it != sequences.end();) {
      if (!it->second.cancelled) {
        ++it;
        continue;
      }
      outputs.push_back({.id = it->first, .finish = FinishReason::kCancelled});
      cache->Free(it->second.blocks);
      it = sequences.erase(it);
    }
  }

  std::vector<Piece> Plan() {
    std::vector<Piece> pieces;
    int64_t running = 0;
    for (const auto& [id, sequence] : sequences) running += sequence.decoding() ? 1 : 0;
    int32_t budget = options.max_batch_tokens;
    bool waiting = running < static_cast<int64_t>(sequences.size());
    int64_t decode_rows = std::min<int64_t>(running, waiting ? budget - budget / 4 : budget);
    auto turn = sequences.lower_bound(next_turn);
    for (int64_t taken = 0; taken < decode_rows; ++turn) {
      if (turn == sequences.end()) turn = sequences.begin();
      if (!turn->second.decoding()) continue;
      pieces.push_back({turn->first, 1});
      next_turn = turn->first + 1;
      ++taken;
    }
    budget -= static_cast<int32_t>(decode_rows);
    for (const auto& [id, sequence] : sequences) {
      if (sequence.decoding() || budget == 0) continue;
      int32_t tokens = std::min({options.prefill_chunk, sequence.prompt_left(), budget});
      pieces.push_back({id, tokens});
      budget -= tokens;
    }
    return pieces;
  }

  // Runs the pieces; returns those that end with a token to be chosen, and their logits, a row each.
  std::pair<std::vector<SequenceId>, Tensor> Forward(const std::vector<Piece>& pieces) {
    StepBatch batch(*cache);
    std::vector<SequenceId> choosing;
    for (const Piece& piece : pieces) {
      Running& sequence = sequences.at(piece.id);
      std::span<const int32_t> tokens(&sequence.last, 1);
      if (!sequence.decoding()) {
        tokens = std::span<const int32_t>(sequence.request.prompt)
                     .subspan(static_cast<size_t>(sequence.cached), static_cast<size_t>(piece.tokens));
      }
      bool chooses = sequence.decoding() || piece.tokens == sequence.prompt_left();
      batch.Add(tokens, sequence.cached, sequence.blocks, chooses ? WantLogits::kLastRow : WantLogits::kNone);
      sequence.cached += piece.tokens;
      if (chooses) choosing.push_back(piece.id);
    }
    return {std::move(choosing), batch.Forward(*model)};
  }

  void Choose(const std::vector<SequenceId>& choosing, const Tensor& logits, std::vector<DecodeOutput>& outputs) {
    size_t V = static_cast<size_t>(logits.dim(1));
    std::vector<int32_t> tokens;
    for (size_t row = 0; row < choosing.size(); ++row) {
      Running& sequence = sequences.at(choosing[row]);
      std::span<const float> values(logits.data<float>() + row * V, V);
      tokens.push_back(SampleToken(values, sequence.request.sampling, static_cast<uint32_t>(sequence.generated)));
    }
    Tensor logprobs = TargetLogProbabilities(logits, Tensor::Of(tokens, {static_cast<int64_t>(tokens.size())}));
    for (size_t row = 0; row < choosing.size(); ++row) {
      Running& sequence = sequences.at(choosing[row]);
      sequence.last = tokens[row];
      ++sequence.generated;
      FinishReason finish = FinishAfter(sequence.request, sequence.generated, tokens[row]);
      outputs.push_back({choosing[row], tokens[row], logprobs.data<float>()[row], finish});
      if (finish == FinishReason::kNone) continue;
      cache->Free(sequence.blocks);
      sequences.erase(choosing[row]);
    }
  }
};

Decoder::Decoder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Decoder::~Decoder() = default;

absl::StatusOr<std::unique_ptr<Decoder>> Decoder::Create(LanguageModel* model, const DecoderOptions& options) {
  if (options.prefill_chunk < 1) return absl::InvalidArgumentError("prefill_chunk must be at least 1.");
  if (options.max_batch_tokens < 1) return absl::InvalidArgumentError("max_batch_tokens must be at least 1.");
  if (options.cache_tokens < 0 || options.cache_tokens > int64_t{64} << 30) {
    return absl::InvalidArgumentError("cache_tokens must be 0 (the default) or a number of positions up to 2^36.");
  }
  int64_t tokens = options.cache_tokens > 0 ? options.cache_tokens : DefaultCacheTokens(*model);
  auto impl = std::make_unique<Impl>();
  impl->model = model;
  impl->options = options;
  ASSIGN_OR_RETURN(impl->cache, KvCache::Create(*model, KvCache::BlocksFor(tokens)));
  return std::unique_ptr<Decoder>(new Decoder(std::move(impl)));
}

absl::StatusOr<SequenceId> Decoder::Add(DecodeRequest request) {
  RETURN_IF_ERROR(ValidateRequest(*impl_->model, request));
  int64_t needed = BlocksNeeded(request), whole = impl_->cache->blocks();
  if (needed > whole) {
    return absl::InvalidArgumentError(absl::StrCat("prompt and max_new_tokens need ", needed * kKeyBlock,
                                                   " positions, ", (needed - whole) * kKeyBlock,
                                                   " more than the whole cache has."));
  }
  std::optional<std::vector<int32_t>> blocks = impl_->cache->Allocate(needed);
  if (!blocks.has_value()) {
    return absl::ResourceExhaustedError(absl::StrCat("the cache has ", impl_->cache->free_blocks() * kKeyBlock,
                                                     " positions free, ", needed * kKeyBlock,
                                                     " are needed; try again when something has finished."));
  }
  SequenceId id = impl_->next_id++;
  Running& sequence = impl_->sequences[id];
  sequence.request = std::move(request);
  sequence.blocks = std::move(*blocks);
  return id;
}

void Decoder::Cancel(SequenceId id) {
  auto found = impl_->sequences.find(id);
  if (found != impl_->sequences.end()) found->second.cancelled = true;
}

std::vector<DecodeOutput> Decoder::Step() {
  std::vector<DecodeOutput> outputs;
  impl_->DropCancelled(outputs);
  if (impl_->sequences.empty()) return outputs;
  auto [choosing, logits] = impl_->Forward(impl_->Plan());
  if (!choosing.empty()) impl_->Choose(choosing, logits, outputs);
  return outputs;
}

bool Decoder::idle() const { return impl_->sequences.empty(); }

DecoderStats Decoder::stats() const {
  DecoderStats stats;
  for (const auto& [id, sequence] : impl_->sequences) ++(sequence.decoding() ? stats.running : stats.waiting_prefill);
  stats.cache_blocks_total = impl_->cache->blocks();
  stats.cache_blocks_used = impl_->cache->blocks() - impl_->cache->free_blocks();
  return stats;
}

absl::StatusOr<GenerateResult> Generate(LanguageModel* model, DecodeRequest request,
                                        const std::function<bool(int32_t)>& on_token) {
  RETURN_IF_ERROR(ValidateRequest(*model, request));  // before a cache of that size is made
  DecoderOptions options;
  options.cache_tokens = BlocksNeeded(request) * kKeyBlock;
  ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder, Decoder::Create(model, options));
  ASSIGN_OR_RETURN(SequenceId id, decoder->Add(std::move(request)));
  GenerateResult result;
  double start = MonotonicSeconds(), first = start;
  while (!decoder->idle()) {
    for (const DecodeOutput& output : decoder->Step()) {
      result.finish = output.finish;
      if (output.token < 0) continue;
      if (result.tokens.empty()) first = MonotonicSeconds();
      result.tokens.push_back(output.token);
      result.logprobs.push_back(output.logprob);
      if (on_token && !on_token(output.token)) decoder->Cancel(id);
    }
  }
  result.prefill_seconds = first - start;
  result.decode_seconds = MonotonicSeconds() - first;
  return result;
}

}  // namespace quern
