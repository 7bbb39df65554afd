// The attention room's key-value cache, for tests of caches: every sequence has pages of its own, out of order, and
// what nobody wrote is NaN, so that a read of it shows.
#ifndef QUERN_TESTS_OP_VECTORS_CACHE_H_
#define QUERN_TESTS_OP_VECTORS_CACHE_H_

#include <cstdint>
#include <vector>

#include "kernels/attention/attention.h"

namespace quern::op_vectors {

class PagedCache {
 public:
  PagedCache(int64_t sequences, int64_t positions, int64_t kv_heads, int64_t head_dim);

  // AttentionCached: rows[s] rows of sequence s, at positions past[s] on.
  Tensor Attend(const Tensor& q, const Tensor& k, const Tensor& v, const std::vector<int64_t>& rows,
                const std::vector<int64_t>& past, float scale);
  // The same for keys and values alone, [N, Hkv, D].
  void Write(const Tensor& k, const Tensor& v, const std::vector<int64_t>& rows, const std::vector<int64_t>& past);

  // What is in it now, by position: [sequences, positions, Hkv, D].
  Tensor Keys() const;
  Tensor Values() const;

 private:
  Tensor ByPosition(const Tensor& blocks, int slot_axis, int64_t dim) const;

  int64_t sequences_, positions_, pages_;
  KvBlocks blocks_;
  std::vector<int32_t> block_starts_, block_ids_;
};

}  // namespace quern::op_vectors

#endif  // QUERN_TESTS_OP_VECTORS_CACHE_H_
