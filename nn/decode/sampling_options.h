// How the next token is chosen.
#ifndef QUERN_NN_DECODE_SAMPLING_OPTIONS_H_
#define QUERN_NN_DECODE_SAMPLING_OPTIONS_H_

#include <cstdint>

#include "absl/status/status.h"

namespace quern {

struct SamplingOptions {
  float temperature = 0;  // 0: greedy (the lowest id among equals)
  int32_t top_k = 0;      // keep the k most probable; 0: all
  float top_p = 1;        // keep the smallest set whose probability reaches p; 1: all
  uint64_t seed = 0;      // token i of the answer draws from (seed, kSampling, i)
};
// InvalidArgument names the field: temperature in [0, 100], top_k >= 0, top_p in (0, 1].
absl::Status ValidateSampling(const SamplingOptions& options);

}  // namespace quern

#endif  // QUERN_NN_DECODE_SAMPLING_OPTIONS_H_
