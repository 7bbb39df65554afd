// The caching allocators and their counters, and the budget that the edges ask before they take memory.
#ifndef QUERN_TENSOR_MEMORY_H_
#define QUERN_TENSOR_MEMORY_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "tensor/device.h"

namespace quern {

struct MemoryCounters {
  int64_t current_bytes = 0;   // held by live storages
  int64_t peak_bytes = 0;      // greatest current_bytes since the last ResetPeak
  int64_t reserved_bytes = 0;  // taken from the system: current plus what the cache keeps for reuse
  int64_t allocations = 0;     // since the start; how many of them the cache served:
  int64_t cache_hits = 0;
};

MemoryCounters GetMemoryCounters(Device device = Cpu());
void ResetPeak(Device device = Cpu());
// Gives cached blocks back to the system.
void TrimMemory(Device device = Cpu());

// What the edges (load a model, size a KV cache) ask before they allocate. ResourceExhausted names `what`, the bytes
// needed and the bytes available.
class MemoryBudget {
 public:
  static absl::Status Reserve(int64_t bytes, Device device, std::string_view what);
};

namespace memory_internal {

// Blocks are aligned to kAlignment and rounded up to a size class, so that a training step finds last step's blocks.
void* Allocate(int64_t bytes, Device device, int64_t* capacity);
void Free(void* data, int64_t bytes, int64_t capacity, Device device);

}  // namespace memory_internal
}  // namespace quern

#endif  // QUERN_TENSOR_MEMORY_H_
