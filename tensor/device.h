// Where memory lives.
#ifndef QUERN_TENSOR_DEVICE_H_
#define QUERN_TENSOR_DEVICE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quern {

// Whether this binary was built with the CUDA toolkit (--config=cuda). CUDA entry points are declared in any build, and
// called only under `if constexpr (kBuiltWithCuda)`.
#ifdef QUERN_CUDA
inline constexpr bool kBuiltWithCuda = true;
#else
inline constexpr bool kBuiltWithCuda = false;
#endif

struct Device {
  enum class Kind { kCpu, kCuda };
  Kind kind = Kind::kCpu;
  int index = 0;

  bool is_cpu() const { return kind == Kind::kCpu; }
  bool operator==(const Device&) const = default;
};

inline Device Cpu() { return {}; }
inline Device Cuda(int index) { return {Device::Kind::kCuda, index}; }

// "cpu", "cuda:0".
std::string Name(Device device);

// "cpu", "cuda" or "cuda:N". InvalidArgument for other text; FailedPrecondition for cuda where this binary was built
// without the toolkit or the machine has no such device.
absl::StatusOr<Device> ParseDevice(std::string_view text);

}  // namespace quern

#endif  // QUERN_TENSOR_DEVICE_H_
