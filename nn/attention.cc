#include "nn/attention.h"

#include <cmath>

#include "autograd/functions.h"
#include "base/log.h"

namespace quern::nn {

Var CausalAttention(const Var& q, const Var& k, const Var& v, const Sequences& sequences, int64_t layer) {
  float scale = static_cast<float>(1.0 / std::sqrt(static_cast<double>(q.dim(2))));
  if (sequences.cache == nullptr) return Attention(q, k, v, sequences.layout(), scale);
  KvBlocks& blocks = (*sequences.cache->layers)[static_cast<size_t>(layer)];
  return AttentionCached(q.value(), k.value(), v.value(), sequences.layout(), scale, blocks);
}

void CheckSequences(const char* model, const Tensor& tokens, const Sequences& sequences, int64_t max_positions,
                    int64_t layers) {
  CHECK(tokens.rank() == 1 && tokens.dtype() == DType::kI32) << model << ": tokens are i32 [N]; got " << tokens;
  CHECK(sequences.starts.size() >= 2 && sequences.starts.front() == 0 && sequences.tokens() == tokens.dim(0))
      << model << ": the sequences' starts run from 0 to N; got tokens " << tokens;
  CHECK_EQ(static_cast<int64_t>(sequences.positions.size()), tokens.dim(0)) << model << ": one position per token.";
  for (int32_t position : sequences.positions) {
    CHECK(position >= 0 && position < max_positions)
        << model << ": position " << position << " of a model with " << max_positions << ". Check lengths at the edge.";
  }
  if (sequences.cache == nullptr) return;
  CHECK(!GradEnabled()) << model << ": no gradient flows into a cache; open a NoGrad scope.";
  CHECK_EQ(static_cast<int64_t>(sequences.cache->layers->size()), layers) << model << ": one KvBlocks per layer.";
}

}  // namespace quern::nn
