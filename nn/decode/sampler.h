// Sampler: from one row of logits to one token.
#ifndef QUERN_NN_DECODE_SAMPLER_H_
#define QUERN_NN_DECODE_SAMPLER_H_

#include <cstdint>
#include <span>

#include "nn/decode/sampling_options.h"

namespace quern {

// temperature 0: the greatest logit, the lowest id among equals; NaN never wins.
//
// Otherwise p = softmax(logits / temperature); the top_k most probable are kept (ties: the lower id is the more
// probable); of what they sum to, the smallest set, by falling probability, that reaches the share top_p (Holtzman et
// al., "The Curious Case of Neural Text Degeneration", 2020); and of these one is drawn: with u uniform in [0, 1), 53
// bits, from (seed, kSampling, step = index), the first id in ascending order at which the running sum, in f64, exceeds
// u times the whole. The same token under every vector instruction set.
int32_t SampleToken(std::span<const float> logits, const SamplingOptions& options, uint32_t index);

}  // namespace quern

#endif  // QUERN_NN_DECODE_SAMPLER_H_
