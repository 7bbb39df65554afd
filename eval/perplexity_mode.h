// How a text longer than the model's context is cut into windows.
#ifndef QUERN_EVAL_PERPLEXITY_MODE_H_
#define QUERN_EVAL_PERPLEXITY_MODE_H_

#include <string_view>

#include "absl/status/statusor.h"

namespace quern {

enum class PerplexityMode {
  kToken,    // independent windows one after another, as in training
  kRolling,  // the same, but the last window is filled up with context (lm-evaluation-harness)
  kStrided,  // overlapping windows: each token has at least context - stride tokens before it (Hugging Face)
};

std::string_view Name(PerplexityMode mode);  // "token", "rolling", "strided"
// InvalidArgument lists the modes and suggests the nearest.
absl::StatusOr<PerplexityMode> ParsePerplexityMode(std::string_view name);

}  // namespace quern

#endif  // QUERN_EVAL_PERPLEXITY_MODE_H_
