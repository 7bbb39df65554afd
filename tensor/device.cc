#include "tensor/device.h"

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tensor/memory_cuda.h"

namespace quern {

std::string Name(Device device) { return device.is_cpu() ? "cpu" : absl::StrCat("cuda:", device.index); }

absl::StatusOr<Device> ParseDevice(std::string_view text) {
  if (text == "cpu") return Cpu();
  int index = 0;
  bool cuda =
      text == "cuda" || (text.substr(0, 5) == "cuda:" && text.size() > 5 &&
                         absl::SimpleAtoi(absl::string_view(text.data() + 5, text.size() - 5), &index) && index >= 0);
  if (!cuda) {
    return absl::InvalidArgumentError(absl::StrCat("device \"", absl::string_view(text.data(), text.size()),
                                                   "\" is not known. Use cpu, cuda or cuda:N."));
  }
  if constexpr (!kBuiltWithCuda) {
    return absl::FailedPreconditionError(
        "this binary was built without CUDA. Rebuild with --config=cuda, or use --device cpu.");
  } else {
    int count = CudaDeviceCount();
    if (index >= count) {
      return absl::FailedPreconditionError(
          absl::StrCat("cuda:", index, " is not there: this machine shows ", count, " CUDA devices."));
    }
    return Cuda(index);
  }
}

}  // namespace quern
