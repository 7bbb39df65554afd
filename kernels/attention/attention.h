// Scaled dot-product attention: causal, grouped-query, sequences of different lengths in one call, with or without a
// cache. Tiled with an online softmax (Milakov and Gimelshein, 2018; Dao et al., "FlashAttention", 2022): never a T x T
// matrix.
//
//   out[t] = sum_{u <= t} softmax_u(scale * q[t].k[u]) v[u]
//
// The contract on bits: keys are taken in blocks of 64 from each sequence's position 0; in every block the scores are
// chains over d in ascending order, the block has a maximum of its own, its weighted sum is a chain over its keys in
// ascending order, and blocks are merged in ascending order. So a row's result depends on its own query and the keys up
// to its position, and on nothing else: not on batch mates, chunking, cache, threads or instruction set.
#ifndef QUERN_KERNELS_ATTENTION_ATTENTION_H_
#define QUERN_KERNELS_ATTENTION_ATTENTION_H_

#include <cstdint>
#include <span>

#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

inline constexpr int64_t kKeyBlock = 64;

// Memory for keys and values, in blocks of 64 positions, shared by all sequences of one layer.
struct KvBlocks {
  Tensor k;  // f32 [blocks, Hkv, D, 64]: channels before positions, so that score chains need no horizontal sums
  Tensor v;  // f32 [blocks, Hkv, 64, D]
};
KvBlocks MakeKvBlocks(int64_t blocks, int64_t kv_heads, int64_t head_dim);

// Which rows of N belong to which sequence, and where its earlier keys are.
struct AttentionLayout {
  // [S+1]: sequence s owns rows [starts[s], starts[s+1]); starts[0] = 0, starts[S] = N.
  std::span<const int32_t> starts;
  // [S]: keys that are in the cache before its first row; empty without a cache.
  std::span<const int32_t> past;
  // [S+1], with a cache: sequence s's block ids are block_ids[block_starts[s] ...], enough for past[s] + its rows.
  std::span<const int32_t> block_starts;
  std::span<const int32_t> block_ids;
};

struct AttentionResult {
  Tensor out;  // f32 [N, H, D], contiguous
  Tensor lse;  // f32 [N, H]: log-sum-exp of the scaled scores, for the backward pass
};

// q: f32 [N, H, D]; k, v: f32 [N, Hkv, D], contiguous in D (rows may be slices of a wider QKV row); H a multiple of
// Hkv. D: any size >= 1; fast for multiples of 16 up to 256.
AttentionResult Attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionLayout& layout,
                          float scale);

// The same with a cache: first writes k and v into `cache` at positions past[s] .. past[s] + rows, then attends to all.
Tensor AttentionCached(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionLayout& layout, float scale,
                       KvBlocks& cache);

// Gradients of Attention. dq, dk, dv may be slices of one wider gradient row (strided). Probabilities are computed anew
// from lse; the order of every sum is fixed.
void AttentionBackward(const Tensor& dout, const Tensor& q, const Tensor& k, const Tensor& v,
                       const AttentionResult& forward, const AttentionLayout& layout, float scale, Slot& dq, Slot& dk,
                       Slot& dv);

}  // namespace quern

#endif  // QUERN_KERNELS_ATTENTION_ATTENTION_H_
