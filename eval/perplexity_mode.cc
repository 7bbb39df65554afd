#include "eval/perplexity_mode.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "base/suggest.h"

namespace quern {

std::string_view Name(PerplexityMode mode) {
  switch (mode) {
    case PerplexityMode::kToken:
      return "token";
    case PerplexityMode::kRolling:
      return "rolling";
    case PerplexityMode::kStrided:
      return "strided";
  }
  return "";
}

absl::StatusOr<PerplexityMode> ParsePerplexityMode(std::string_view name) {
  for (PerplexityMode mode : {PerplexityMode::kToken, PerplexityMode::kRolling, PerplexityMode::kStrided}) {
    if (name == Name(mode)) return mode;
  }
  return absl::InvalidArgumentError(absl::StrCat("mode: token, rolling or strided, not \"", std::string(name), "\".",
                                                 DidYouMean(name, {"token", "rolling", "strided"})));
}

}  // namespace quern
