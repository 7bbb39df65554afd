#include "cli/sampling_flags.h"

namespace quern::cli {

void AddSamplingFlags(int32_t* max_new_tokens, SamplingOptions* sampling, std::vector<std::string>* stops,
                      Flags& flags) {
  flags.Add("max_new_tokens", max_new_tokens, "N", "tokens to generate at most; fewer at the model's end")
      .Range(1, 1 << 30);
  flags.Add("temperature", &sampling->temperature, "X", "0: always the most probable token").Range(0, 100);
  flags.Add("top_k", &sampling->top_k, "K", "sample among the K most probable; 0: all").Range(0, 1 << 30);
  flags.Add("top_p", &sampling->top_p, "P", "sample among the fewest whose probability reaches P").Range(1e-9, 1);
  flags.Add("stop", stops, "S", "end before this text");
}

}  // namespace quern::cli
