#include "tensor/storage.h"

#include "base/log.h"
#include "tensor/memory.h"

namespace quern {

Storage Storage::Allocate(int64_t bytes, Device device) {
  CHECK_GE(bytes, 0) << "Storage: a size is not negative.";
  Storage storage;
  storage.block_ = new Block;
  storage.block_->bytes = bytes;
  storage.block_->device = device;
  storage.block_->data = memory_internal::Allocate(bytes, device, &storage.block_->capacity);
  return storage;
}

Storage Storage::Wrap(void* data, int64_t bytes, std::shared_ptr<const void> owner, bool read_only) {
  Storage storage;
  storage.block_ = new Block;
  storage.block_->data = data;
  storage.block_->bytes = bytes;
  storage.block_->owner = std::move(owner);
  storage.block_->read_only = read_only;
  return storage;
}

void Storage::Release() {
  if (block_ == nullptr || block_->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (block_->owner == nullptr && block_->capacity > 0) {
    memory_internal::Free(block_->data, block_->bytes, block_->capacity, block_->device);
  }
  delete block_;
}

}  // namespace quern
