// Cross-entropy of a classifier, from logits, fused with its gradient and in place.
//
//   loss[n] = logsumexp(logits[n,:]) - logits[n, target[n]]        (nats)
//   dlogits[n,v] = scale * (softmax(logits[n,:])[v] - [v == target[n]])
#ifndef QUERN_KERNELS_CROSS_ENTROPY_CROSS_ENTROPY_H_
#define QUERN_KERNELS_CROSS_ENTROPY_CROSS_ENTROPY_H_

#include <cstdint>

#include "tensor/tensor.h"

namespace quern {

// Rows with this target have loss 0 and gradient 0 and are not counted.
inline constexpr int32_t kIgnoreTarget = -100;

// logits: f32 [N, V], contiguous; targets: i32 [N], each in [0, V) or kIgnoreTarget (the caller has checked: CHECKed
// here). Returns the losses, f32 [N].
Tensor CrossEntropy(const Tensor& logits, const Tensor& targets);

// The same, and overwrites `logits` with dlogits, a row at a time while it is in the processor's cache; nothing else is
// stored.
Tensor CrossEntropyInPlace(Tensor& logits, const Tensor& targets, float scale);

// log softmax(logits[n,:])[target[n]], f32 [N]: minus CrossEntropy, bit for bit. For scoring.
Tensor TargetLogProbabilities(const Tensor& logits, const Tensor& targets);

}  // namespace quern

#endif  // QUERN_KERNELS_CROSS_ENTROPY_CROSS_ENTROPY_H_
