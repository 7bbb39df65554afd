// KvCache: keys and values of many sequences in shared blocks of 64 positions, handed out and taken back one by one, so
// that no memory is lost to sequences of different lengths (Kwon et al., "Efficient Memory Management for Large
// Language Model Serving with PagedAttention", 2023).
#ifndef QUERN_NN_DECODE_KV_CACHE_H_
#define QUERN_NN_DECODE_KV_CACHE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "kernels/attention/attention.h"
#include "nn/language_model.h"

namespace quern {

class KvCache {
 public:
  // Blocks that hold `positions` positions of one sequence.
  static int64_t BlocksFor(int64_t positions) { return (positions + kKeyBlock - 1) / kKeyBlock; }
  // Bytes of one block over all layers.
  static int64_t BlockBytes(const LanguageModel& model);

  // ResourceExhausted when it does not fit in memory.
  static absl::StatusOr<std::unique_ptr<KvCache>> Create(const LanguageModel& model, int64_t blocks);

  int64_t blocks() const { return blocks_; }
  int64_t free_blocks() const { return static_cast<int64_t>(free_.size()); }
  // `count` block ids, or none when so many are not free.
  std::optional<std::vector<int32_t>> Allocate(int64_t count);
  // Takes them back. CHECKs that they were handed out.
  void Free(const std::vector<int32_t>& ids);

  std::vector<KvBlocks>& layers() { return layers_; }

 private:
  KvCache(const LanguageModel& model, int64_t blocks);

  int64_t blocks_;
  std::vector<int32_t> free_;  // the lowest id is at the back
  std::vector<bool> used_;
  std::vector<KvBlocks> layers_;
};

}  // namespace quern

#endif  // QUERN_NN_DECODE_KV_CACHE_H_
