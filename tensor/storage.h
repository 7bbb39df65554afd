// Storage: one block of memory, counted by reference, with a version that in-place writes raise.
#ifndef QUERN_TENSOR_STORAGE_H_
#define QUERN_TENSOR_STORAGE_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "tensor/device.h"

namespace quern {

// 64 bytes: a cache line, and a whole AVX-512 register.
inline constexpr int64_t kAlignment = 64;

class Storage {
 public:
  // From the device's caching allocator; not initialised. CHECKs on exhaustion: the edges that may fail for size ask
  // MemoryBudget::Reserve first (tensor/memory.h).
  static Storage Allocate(int64_t bytes, Device device);
  // Memory that somebody else owns (a mapped file); `owner` is kept alive. Read-only storage CHECKs on mutable access.
  static Storage Wrap(void* data, int64_t bytes, std::shared_ptr<const void> owner, bool read_only);

  Storage() = default;
  Storage(const Storage& other) : block_(other.block_) {
    if (block_) block_->references.fetch_add(1, std::memory_order_relaxed);
  }
  Storage(Storage&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  Storage& operator=(Storage other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~Storage() { Release(); }

  explicit operator bool() const { return block_ != nullptr; }
  void* data() const { return block_->data; }
  int64_t bytes() const { return block_->bytes; }
  Device device() const { return block_->device; }
  bool read_only() const { return block_->read_only; }
  bool unique() const { return block_ && block_->references.load(std::memory_order_acquire) == 1; }
  bool operator==(const Storage& other) const { return block_ == other.block_; }

  // Raised by every in-place write through Tensor::mutable_data; Backward checks it for what the tape has saved, and a
  // packed copy of a parameter dies with it.
  uint64_t version() const { return block_ ? block_->version.load(std::memory_order_relaxed) : 0; }
  void RaiseVersion() { block_->version.fetch_add(1, std::memory_order_relaxed); }

 private:
  struct Block {
    std::atomic<int64_t> references{1};
    std::atomic<uint64_t> version{0};
    void* data = nullptr;
    int64_t bytes = 0;     // asked for
    int64_t capacity = 0;  // given by the allocator
    Device device;
    bool read_only = false;
    std::shared_ptr<const void> owner;  // of wrapped memory
  };
  void Release();

  Block* block_ = nullptr;
};

}  // namespace quern

#endif  // QUERN_TENSOR_STORAGE_H_
