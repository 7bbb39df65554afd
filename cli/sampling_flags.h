// The flags that say how an answer is drawn and where it ends; `quern generate` and `quern chat` have them.
#ifndef QUERN_CLI_SAMPLING_FLAGS_H_
#define QUERN_CLI_SAMPLING_FLAGS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "cli/flags.h"
#include "nn/decode/sampling_options.h"

namespace quern::cli {

// --max_new_tokens, --temperature, --top_k, --top_p, --stop. The defaults are what the targets hold.
void AddSamplingFlags(int32_t* max_new_tokens, SamplingOptions* sampling, std::vector<std::string>* stops,
                      Flags& flags);

}  // namespace quern::cli

#endif  // QUERN_CLI_SAMPLING_FLAGS_H_
