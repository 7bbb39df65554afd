// The body of POST /api/generate, read strictly.
#ifndef QUERN_SERVE_GENERATE_REQUEST_H_
#define QUERN_SERVE_GENERATE_REQUEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "nn/decode/sampling_options.h"
#include "serve/http/http_error.h"
#include "serve/options.h"

namespace quern {

// {prompt, max_new_tokens, temperature, top_k, top_p, seed, stop, stream, logprobs}; only `prompt` is required, null
// counts as left out.
struct GenerateRequest {
  std::string prompt;
  std::optional<int32_t> max_new_tokens;  // none: the default, or as many as fit
  SamplingOptions sampling;               // without a seed in the request, one drawn below 2^53
  std::vector<std::string> stop;          // at most 16 of at most 1024 bytes, none empty
  bool stream = false;
  bool logprobs = false;  // the answer names its tokens and their log-probabilities
};

// Reads `body`. 400 for what is not JSON (duplicate keys included), 422 for what is not such an object: the error
// names the field, the range and, for an unknown field, the nearest one.
std::optional<HttpError> ReadGenerateRequest(std::string_view body, const GenerateDefaults& defaults,
                                             GenerateRequest& request);

}  // namespace quern

#endif  // QUERN_SERVE_GENERATE_REQUEST_H_
