// How fast a model answers: one request at a time, through the engine that serves (handed in) or nn/decode.
#ifndef QUERN_EVAL_SPEED_H_
#define QUERN_EVAL_SPEED_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "nn/decode/decoder.h"

namespace quern {

// Medians over `samples` requests, after one that does not count.
struct Speed {
  double time_to_first_token = 0;        // seconds from the request to its first token
  double prefill_tokens_per_second = 0;  // prompt tokens / time_to_first_token
  double decode_tokens_per_second = 0;   // (new tokens - 1) / (seconds - time_to_first_token)
  int64_t prompt_tokens = 0, new_tokens = 0, samples = 0;
};

// Prompts of half the model's positions, at most 512, of tokens spread over the vocabulary; 64 new tokens or what fits.
// The probe's errors; Internal when it gives fewer than two tokens; Cancelled after an interrupt.
absl::StatusOr<Speed> MeasureSpeed(const LanguageModel& model, const SpeedProbe& probe);

// Generate(), timed.
SpeedProbe GenerateProbe(LanguageModel* model);

}  // namespace quern

#endif  // QUERN_EVAL_SPEED_H_
