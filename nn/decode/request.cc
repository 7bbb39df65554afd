#include "nn/decode/request.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace quern {

absl::Status ValidateTokens(const LanguageModel& model, std::span<const int32_t> tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 && tokens[i] < model.vocab_size()) continue;
    return absl::InvalidArgumentError(absl::StrCat("prompt: token ", tokens[i], " at index ", i,
                                                   " is outside the model's vocabulary of ", model.vocab_size(), "."));
  }
  return absl::OkStatus();
}

absl::Status ValidateAnswer(const DecodeRequest& request) {
  RETURN_IF_ERROR(ValidateSampling(request.sampling));
  if (request.max_new_tokens < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_new_tokens is ", request.max_new_tokens, "; it must be at least 1."));
  }
  return absl::OkStatus();
}

FinishReason FinishAfter(const DecodeRequest& request, int32_t generated, int32_t token) {
  bool listed = std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) != request.stop_tokens.end();
  if (listed || (request.stop && request.stop(token))) return FinishReason::kStop;
  return generated == request.max_new_tokens ? FinishReason::kLength : FinishReason::kNone;
}

}  // namespace quern
