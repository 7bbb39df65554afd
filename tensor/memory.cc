#include "tensor/memory.h"

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "tensor/memory_cuda.h"
#include "tensor/storage.h"

namespace quern {
namespace {

// From this size on blocks are whole huge pages, and huge pages are asked for: the first training step, which touches
// them all, has fewer page faults.
constexpr int64_t kHugeThreshold = int64_t{4} << 20, kHugePage = int64_t{2} << 20;

// Smaller ones, from a page on, are cut from slabs of huge pages: a training step that walks through thousands of small
// pages waits for the tables that say where they are. Blocks that all began at the start of a page would fall into the
// same sets of the caches, so each begins an odd number of cache lines further than the one before.
constexpr int64_t kSlab = int64_t{16} << 20, kLeastInSlab = 4096, kSlabGap = 9 * kAlignment;

// Blocks are rounded up so that nearly equal sizes share a class: eight classes per power of two, at most 12.5 %
// unused.
int64_t SizeClass(int64_t bytes) {
  if (bytes <= 512) return (bytes + kAlignment - 1) / kAlignment * kAlignment;
  int64_t step = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(bytes))) / 8;
  return (bytes + step - 1) / step * step;
}

void* SystemAllocate(int64_t bytes, Device device) {
  if (!device.is_cpu()) {
    if constexpr (kBuiltWithCuda) return CudaAllocate(bytes, device.index);
    LOG(FATAL) << "Storage: this binary was built without CUDA; rebuild with --config=cuda. got device "
               << Name(device);
  }
  if (bytes < kHugeThreshold) return std::aligned_alloc(kAlignment, static_cast<size_t>(bytes));
  void* data = std::aligned_alloc(kHugePage, static_cast<size_t>((bytes + kHugePage - 1) / kHugePage * kHugePage));
  if (data != nullptr) madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
  return data;
}

void SystemFree(void* data, Device device) {
  if (device.is_cpu()) {
    std::free(data);
  } else if constexpr (kBuiltWithCuda) {
    CudaFree(data, device.index);
  }
}

// Slabs and how many blocks each was cut into.
class Slabs {
 public:
  // Null where the system has no more memory.
  void* Cut(int64_t bytes) {
    if (last_ == nullptr || used_ + bytes > kSlab) {
      void* slab = std::aligned_alloc(kSlab, kSlab);
      if (slab == nullptr) return nullptr;
      madvise(slab, kSlab, MADV_HUGEPAGE);
      ASAN_POISON_MEMORY_REGION(slab, kSlab);
      last_ = static_cast<char*>(slab);
      used_ = 0;
    }
    void* data = last_ + used_;
    used_ += bytes + kSlabGap;
    ++blocks_[last_];
    return data;
  }

  static void* SlabOf(void* block) {
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(block) & ~static_cast<uintptr_t>(kSlab - 1));
  }
  int64_t BlocksOf(void* slab) const { return blocks_.at(slab); }

  void Release(void* slab) {
    if (slab == last_) last_ = nullptr;
    blocks_.erase(slab);
    std::free(slab);
  }

 private:
  char* last_ = nullptr;  // the one that is being cut
  int64_t used_ = 0;
  std::map<void*, int64_t> blocks_;
};

// One per device. Freed blocks wait in a list of their size class; nothing is split or merged.
class CachingAllocator {
 public:
  explicit CachingAllocator(Device device) : device_(device) {}

  void* Allocate(int64_t bytes, int64_t* capacity) {
    *capacity = SizeClass(bytes > 0 ? bytes : 1);
    std::lock_guard<std::mutex> lock(mutex_);
    ++counters_.allocations;
    counters_.current_bytes += *capacity;
    counters_.peak_bytes = std::max(counters_.peak_bytes, counters_.current_bytes);
    std::vector<void*>& list = free_[*capacity];
    if (!list.empty()) {
      ++counters_.cache_hits;
      void* data = list.back();
      list.pop_back();
      return data;
    }
    void* data = TakeLocked(*capacity);
    if (data == nullptr) {
      TrimLocked();
      data = TakeLocked(*capacity);
    }
    CHECK(data != nullptr) << "Storage: out of memory on " << Name(device_) << " for " << *capacity << " bytes; in use "
                           << counters_.current_bytes;
    counters_.reserved_bytes += *capacity;
    return data;
  }

  void Free(void* data, int64_t capacity) {
    std::lock_guard<std::mutex> lock(mutex_);
    counters_.current_bytes -= capacity;
    free_[capacity].push_back(data);
  }

  MemoryCounters counters() {
    std::lock_guard<std::mutex> lock(mutex_);
    return counters_;
  }
  void ResetPeak() {
    std::lock_guard<std::mutex> lock(mutex_);
    counters_.peak_bytes = counters_.current_bytes;
  }
  void Trim() {
    std::lock_guard<std::mutex> lock(mutex_);
    TrimLocked();
  }

 private:
  bool InSlab(int64_t capacity) const {
    return device_.is_cpu() && capacity >= kLeastInSlab && capacity < kHugeThreshold;
  }

  void* TakeLocked(int64_t capacity) {
    return InSlab(capacity) ? slabs_.Cut(capacity) : SystemAllocate(capacity, device_);
  }

  // A slab goes once all its blocks are free.
  void TrimLocked() {
    std::map<void*, int64_t> idle;  // slabs and their free blocks
    for (auto& [capacity, list] : free_) {
      for (void* data : list) {
        if (InSlab(capacity)) ++idle[Slabs::SlabOf(data)];
      }
    }
    std::erase_if(idle, [&](const auto& slab) { return slab.second < slabs_.BlocksOf(slab.first); });
    for (auto& [capacity, list] : free_) {
      const int64_t before = static_cast<int64_t>(list.size());
      if (InSlab(capacity)) {
        std::erase_if(list, [&](void* data) { return idle.count(Slabs::SlabOf(data)) > 0; });
      } else {
        for (void* data : list) SystemFree(data, device_);
        list.clear();
      }
      counters_.reserved_bytes -= capacity * (before - static_cast<int64_t>(list.size()));
    }
    for (const auto& [slab, blocks] : idle) slabs_.Release(slab);
  }

  Device device_;
  Slabs slabs_;
  std::mutex mutex_;
  std::map<int64_t, std::vector<void*>> free_;
  MemoryCounters counters_;
};

CachingAllocator& AllocatorOf(Device device) {
  static auto* mutex = new std::mutex;
  static auto* allocators = new std::map<std::pair<int, int>, CachingAllocator*>;  // leaked: storages may outlive main
  static auto* cpu = new CachingAllocator(Cpu());
  if (device.is_cpu()) return *cpu;
  std::lock_guard<std::mutex> lock(*mutex);
  CachingAllocator*& allocator = (*allocators)[{static_cast<int>(device.kind), device.index}];
  if (allocator == nullptr) allocator = new CachingAllocator(device);
  return *allocator;
}

// What the system could give, in bytes (of the CPU: MemAvailable of /proc/meminfo); -1 where it does not say.
int64_t AvailableBytes(Device device) {
  if (!device.is_cpu()) {
    if constexpr (kBuiltWithCuda) return CudaAvailableBytes(device.index);
    return 0;
  }
  std::FILE* file = std::fopen("/proc/meminfo", "re");
  if (file == nullptr) return -1;
  char line[256];
  long long kilobytes = -1;
  while (std::fgets(line, sizeof(line), file) != nullptr &&
         std::sscanf(line, "MemAvailable: %lld kB", &kilobytes) != 1) {
  }
  std::fclose(file);
  return kilobytes < 0 ? -1 : int64_t{kilobytes} * 1024;
}

}  // namespace

MemoryCounters GetMemoryCounters(Device device) { return AllocatorOf(device).counters(); }
void ResetPeak(Device device) { AllocatorOf(device).ResetPeak(); }
void TrimMemory(Device device) { AllocatorOf(device).Trim(); }

absl::Status MemoryBudget::Reserve(int64_t bytes, Device device, std::string_view what) {
  MemoryCounters counters = GetMemoryCounters(device);
  int64_t available = AvailableBytes(device);
  if (available < 0) return absl::OkStatus();
  available += counters.reserved_bytes - counters.current_bytes;
  if (bytes <= available) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat(absl::string_view(what.data(), what.size()), " needs ", bytes, " bytes on ", Name(device), ", but ",
                   available, " are available. Use a smaller model, batch or context, or free memory."));
}

namespace memory_internal {

// AddressSanitizer sees blocks, not tensors: it is told that what was not asked for, and what waits in the cache, is
// out of bounds. (These macros are nothing in other builds.)
void* Allocate(int64_t bytes, Device device, int64_t* capacity) {
  void* data = AllocatorOf(device).Allocate(bytes, capacity);
  if (device.is_cpu()) {
    ASAN_UNPOISON_MEMORY_REGION(data, static_cast<size_t>(bytes));
    ASAN_POISON_MEMORY_REGION(static_cast<char*>(data) + bytes, static_cast<size_t>(*capacity - bytes));
  }
  return data;
}

void Free(void* data, int64_t bytes, int64_t capacity, Device device) {
  if (device.is_cpu()) ASAN_POISON_MEMORY_REGION(data, static_cast<size_t>(capacity));
  AllocatorOf(device).Free(data, capacity);
}

}  // namespace memory_internal
}  // namespace quern
