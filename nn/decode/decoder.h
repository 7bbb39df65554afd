// Decoder: many sequences generated together, by one batched forward a step over paged keys and values. Tokens only:
// text, stop strings and HTTP live above.
//
//   auto decoder = Decoder::Create(model, {});
//   auto id = (*decoder)->Add({.prompt = ids, .max_new_tokens = 64, .sampling = {.temperature = 0.8f, .seed = 7}});
//   while (!(*decoder)->idle()) for (const DecodeOutput& out : (*decoder)->Step()) ...
//
// A request's tokens depend on the model, its prompt and its sampling options alone: not on what else is decoded, nor
// on chunking. Not thread-safe: one engine thread owns it.
#ifndef QUERN_NN_DECODE_DECODER_H_
#define QUERN_NN_DECODE_DECODER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nn/decode/sampling_options.h"
#include "nn/language_model.h"

namespace quern {

// Asked after each token; true ends the sequence (finish reason kStop). The token that stopped it is part of the
// output.
using StopFn = std::function<bool(int32_t token)>;

struct DecodeRequest {
  std::vector<int32_t> prompt;  // at least one token
  int32_t max_new_tokens = 128;
  SamplingOptions sampling;
  std::vector<int32_t> stop_tokens;  // end of sequence ids
  StopFn stop;                       // may be empty
};

enum class FinishReason { kNone, kStop, kLength, kCancelled };
std::string_view Name(FinishReason reason);  // "", "stop", "length", "cancelled"

using SequenceId = int64_t;

struct DecodeOutput {
  SequenceId id = 0;
  int32_t token = -1;  // -1: no token (cancelled)
  float logprob = 0;   // log-probability under the model (temperature 1, no truncation)
  FinishReason finish = FinishReason::kNone;
};

struct DecoderOptions {
  int64_t cache_tokens = 0;     // capacity of the KV cache in positions; 0: eight contexts of the model, or what fits
  int32_t prefill_chunk = 256;  // prompt tokens per sequence and step
  int32_t max_batch_tokens = 512;
};

struct DecoderStats {
  int64_t running = 0;          // sequences that decode
  int64_t waiting_prefill = 0;  // sequences whose prompt is not wholly read yet
  int64_t cache_blocks_used = 0, cache_blocks_total = 0;
};

class Decoder {
 public:
  // `model` outlives the decoder. ResourceExhausted when the cache does not fit in memory; InvalidArgument names a bad
  // option.
  static absl::StatusOr<std::unique_ptr<Decoder>> Create(LanguageModel* model, const DecoderOptions& options);
  ~Decoder();

  // InvalidArgument: empty prompt, token out of range, prompt + max_new_tokens beyond the model's positions or the
  // whole cache (says by how much), bad sampling. ResourceExhausted: no room now; try again after a Step that finished
  // something.
  absl::StatusOr<SequenceId> Add(DecodeRequest request);
  // The sequence ends at the next Step with kCancelled. Unknown ids are ignored.
  void Cancel(SequenceId id);
  // One forward over one row of every running sequence and chunks of waiting prompts, oldest first, up to
  // max_batch_tokens rows (a quarter of them is kept for prompts where any wait; running sequences take turns where
  // they are too many).
  std::vector<DecodeOutput> Step();
  bool idle() const;
  DecoderStats stats() const;

 private:
  struct Impl;
  explicit Decoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

struct GenerateResult {
  std::vector<int32_t> tokens;
  std::vector<float> logprobs;
  FinishReason finish = FinishReason::kNone;
  double prefill_seconds = 0, decode_seconds = 0;
};
// One request from start to end. `on_token`, if set, sees each token as it comes; false cancels.
absl::StatusOr<GenerateResult> Generate(LanguageModel* model, DecodeRequest request,
                                        const std::function<bool(int32_t)>& on_token = {});

// How eval measures speed: an engine handed in by cli/, so that eval never sees serve.
struct SpeedSample {
  int64_t prompt_tokens = 0, new_tokens = 0;
  double time_to_first_token = 0, seconds = 0;
};
using SpeedProbe = std::function<absl::StatusOr<SpeedSample>(const std::vector<int32_t>& prompt, int32_t new_tokens)>;

}  // namespace quern

#endif  // QUERN_NN_DECODE_DECODER_H_
