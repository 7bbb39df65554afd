// What Decoder and Session share: checks of a request, and when an answer ends.
#ifndef QUERN_NN_DECODE_REQUEST_H_
#define QUERN_NN_DECODE_REQUEST_H_

#include <cstdint>
#include <span>

#include "absl/status/status.h"
#include "nn/decode/decoder.h"
#include "nn/language_model.h"

namespace quern {

// InvalidArgument names the first token that the model's vocabulary lacks.
absl::Status ValidateTokens(const LanguageModel& model, std::span<const int32_t> tokens);
// InvalidArgument: max_new_tokens below 1, bad sampling.
absl::Status ValidateAnswer(const DecodeRequest& request);

// After `token`, the `generated`-th of the answer (from 1).
FinishReason FinishAfter(const DecodeRequest& request, int32_t generated, int32_t token);

}  // namespace quern

#endif  // QUERN_NN_DECODE_REQUEST_H_
