// Causal attention of one layer, with or without a cache: the one place where a forward pass asks which.
#ifndef QUERN_NN_ATTENTION_H_
#define QUERN_NN_ATTENTION_H_

#include "autograd/var.h"
#include "nn/sequences.h"

namespace quern::nn {

// q: [N, H, D]; k, v: [N, Hkv, D]; returns [N, H, D]. Scores are divided by sqrt(D). Without a cache, rows attend to
// the rows of their own sequence up to themselves, and gradients flow. With one (under NoGrad only), k and v are first
// written into the blocks of `layer`, and rows attend to all that is cached of their sequence.
Var CausalAttention(const Var& q, const Var& k, const Var& v, const Sequences& sequences, int64_t layer);

// CHECKs what every forward is entitled to: tokens i32 [N], starts that cover N, positions in [0, max_positions), and a
// cache of `layers` layers used under NoGrad.
void CheckSequences(const char* model, const Tensor& tokens, const Sequences& sequences, int64_t max_positions,
                    int64_t layers);

}  // namespace quern::nn

#endif  // QUERN_NN_ATTENTION_H_
