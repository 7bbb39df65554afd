// Table look-up: y[n,:] = table[ids[n],:].
#ifndef QUERN_KERNELS_EMBEDDING_EMBEDDING_H_
#define QUERN_KERNELS_EMBEDDING_EMBEDDING_H_

#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

// table: f32 [V, C], contiguous; ids: i32 [N], each in [0, V) (checked at the edges, CHECKed here). Returns f32 [N, C].
Tensor Embedding(const Tensor& table, const Tensor& ids);

// dtable[v,:] = sum over n with ids[n] == v of dy[n,:], in ascending n: rows are bucketed by id, so there are no
// atomics and the order is fixed. Without accumulate, rows that no id names become 0.
void EmbeddingBackward(const Tensor& dy, const Tensor& ids, Slot& dtable);

}  // namespace quern

#endif  // QUERN_KERNELS_EMBEDDING_EMBEDDING_H_
