#include "nn/decode/kv_cache.h"

#include <limits>

#include "base/log.h"
#include "base/status_macros.h"
#include "tensor/memory.h"

namespace quern {

int64_t KvCache::BlockBytes(const LanguageModel& model) {
  return model.layers() * 2 * model.kv_heads() * model.head_dim() * kKeyBlock * SizeOf(DType::kF32);
}

absl::StatusOr<std::unique_ptr<KvCache>> KvCache::Create(const LanguageModel& model, int64_t blocks) {
  CHECK(blocks > 0 && blocks < (int64_t{1} << 31)) << "KvCache: " << blocks << " blocks.";
  int64_t bytes = 0;
  if (__builtin_mul_overflow(blocks, BlockBytes(model), &bytes)) bytes = std::numeric_limits<int64_t>::max();
  RETURN_IF_ERROR(MemoryBudget::Reserve(bytes, Cpu(), "the cache of keys and values"));
  return std::unique_ptr<KvCache>(new KvCache(model, blocks));
}

KvCache::KvCache(const LanguageModel& model, int64_t blocks)
    : blocks_(blocks), used_(static_cast<size_t>(blocks), false) {
  for (int64_t id = blocks - 1; id >= 0; --id) free_.push_back(static_cast<int32_t>(id));
  for (int64_t layer = 0; layer < model.layers(); ++layer) {
    layers_.push_back(MakeKvBlocks(blocks, model.kv_heads(), model.head_dim()));
  }
}

std::optional<std::vector<int32_t>> KvCache::Allocate(int64_t count) {
  if (count > free_blocks()) return std::nullopt;
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < count; ++i) {
    ids.push_back(free_.back());
    used_[static_cast<size_t>(free_.back())] = true;
    free_.pop_back();
  }
  return ids;
}

void KvCache::Free(const std::vector<int32_t>& ids) {
  for (int32_t id : ids) {
    CHECK(id >= 0 && id < blocks_ && used_[static_cast<size_t>(id)])
        << "KvCache: block " << id << " was not handed out.";
    used_[static_cast<size_t>(id)] = false;
    free_.push_back(id);
  }
}

}  // namespace quern
