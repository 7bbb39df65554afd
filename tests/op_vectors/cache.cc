#include "tests/op_vectors/cache.h"

#include <limits>

#include "base/status_macros.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"

namespace quern::op_vectors {

PagedCache::PagedCache(int64_t sequences, int64_t positions, int64_t kv_heads, int64_t head_dim)
    : sequences_(sequences),
      positions_(positions),
      pages_((positions + kKeyBlock - 1) / kKeyBlock),
      blocks_(MakeKvBlocks(sequences * pages_, kv_heads, head_dim)) {
  Fill(blocks_.k, std::numeric_limits<float>::quiet_NaN());
  Fill(blocks_.v, std::numeric_limits<float>::quiet_NaN());
  const int64_t count = sequences * pages_;
  for (int64_t s = 0; s <= sequences; ++s) block_starts_.push_back(static_cast<int32_t>(s * pages_));
  for (int64_t i = 0; i < count; ++i) block_ids_.push_back(static_cast<int32_t>(count - 1 - i));
}

Tensor PagedCache::Attend(const Tensor& q, const Tensor& k, const Tensor& v, const std::vector<int64_t>& rows,
                          const std::vector<int64_t>& past, float scale) {
  std::vector<int32_t> starts = {0};
  for (int64_t count : rows) starts.push_back(starts.back() + static_cast<int32_t>(count));
  const std::vector<int32_t> before(past.begin(), past.end());
  return AttentionCached(q, k, v, {starts, before, block_starts_, block_ids_}, scale, blocks_);
}

void PagedCache::Write(const Tensor& k, const Tensor& v, const std::vector<int64_t>& rows,
                       const std::vector<int64_t>& past) {
  Attend(Tensor::Zeros(k.shape(), DType::kF32), k, v, rows, past, 1.0f);
}

// `blocks`: [blocks, Hkv, ..], with the place within a block on axis `slot_axis`.
Tensor PagedCache::ByPosition(const Tensor& blocks, int slot_axis, int64_t dim) const {
  const int64_t heads = blocks.dim(1);
  Tensor all = Tensor::Empty({sequences_, positions_, heads, dim}, DType::kF32);
  for (int64_t s = 0; s < sequences_; ++s) {
    for (int64_t at = 0; at < positions_; ++at) {
      const int64_t id = block_ids_[static_cast<size_t>(s * pages_ + at / kKeyBlock)], slot = at % kKeyBlock;
      Tensor to = all.Slice(0, s, s + 1).Slice(1, at, at + 1).Reshape({heads, dim});
      to.CopyFrom(blocks.Slice(0, id, id + 1).Slice(slot_axis, slot, slot + 1).Contiguous().Reshape({heads, dim}));
    }
  }
  return all;
}

Tensor PagedCache::Keys() const { return ByPosition(blocks_.k, 3, blocks_.k.dim(2)); }
Tensor PagedCache::Values() const { return ByPosition(blocks_.v, 2, blocks_.v.dim(3)); }

// [B, S, D] or [B, H, S, D]: rows of a cache overwritten from a position of each sequence on.
Outputs TensorScatter(const OpCase& op) {
  ASSIGN_OR_RETURN(const Tensor given, op.Floats(0));
  ASSIGN_OR_RETURN(const Tensor given_update, op.Floats(1));
  const int rank = given.rank();
  if ((rank != 3 && rank != 4) || given_update.rank() != rank) return Skip("caches are [B, S, D] or [B, H, S, D]");
  ASSIGN_OR_RETURN(const int axis, AxisOf(op.Int("axis", -2), rank));
  if (axis != rank - 2) return Skip("positions are the last axis but one");
  if (op.String("mode", "linear") != "linear") return Skip("no caches that wrap around");
  auto by_position = [&](const Tensor& t) {  // [B, S, H, D]
    return rank == 3 ? t.Reshape({t.dim(0), t.dim(1), 1, t.dim(2)}) : Permuted(t, {0, 2, 1, 3});
  };
  const Tensor cache = by_position(given), update = by_position(given_update);
  const int64_t batch = cache.dim(0), positions = cache.dim(1), heads = cache.dim(2), dim = cache.dim(3);
  if (update.dim(0) != batch || update.dim(2) != heads || update.dim(3) != dim) {
    return absl::InvalidArgumentError("the update is like the cache");
  }
  std::vector<int64_t> at(static_cast<size_t>(batch), 0);
  if (op.Has(2)) {
    ASSIGN_OR_RETURN(at, op.Ints(2));
  }
  for (int64_t position : at) {
    if (static_cast<int64_t>(at.size()) != batch || position < 0 || position > positions - update.dim(1)) {
      return absl::InvalidArgumentError("write_indices: a position inside the cache for each sequence");
    }
  }
  PagedCache pages(batch, positions, heads, dim);
  auto write = [&](const Tensor& t, const std::vector<int64_t>& past) {
    const Tensor rows = t.Reshape({batch * t.dim(1), heads, dim});
    pages.Write(rows, rows, std::vector<int64_t>(static_cast<size_t>(batch), t.dim(1)), past);
  };
  write(cache, std::vector<int64_t>(static_cast<size_t>(batch), 0));
  write(update, at);
  return std::vector<Tensor>{Permuted(pages.Keys(), {0, 2, 1, 3}).Reshape(given.shape())};
}

}  // namespace quern::op_vectors
