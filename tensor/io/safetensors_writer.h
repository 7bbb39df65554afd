// Writing .safetensors: whole or not at all (base/file.h), one tensor in memory at a time.
//
// Equal tensors give equal bytes: widest dtypes first and then by name, as the format's own writer sorts; compact JSON
// with sorted metadata; the header padded with spaces to a multiple of 8, so that every tensor is aligned for its
// dtype.
#ifndef QUERN_TENSOR_IO_SAFETENSORS_WRITER_H_
#define QUERN_TENSOR_IO_SAFETENSORS_WRITER_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"
#include "tensor/io/file_dtype.h"
#include "tensor/tensor.h"

namespace quern {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

using SafetensorsMetadata = std::map<std::string, std::string>;

// InvalidArgument for two tensors of one name, the name "__metadata__", or a name or metadata that is not UTF-8.
absl::Status WriteSafetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                              const SafetensorsMetadata& metadata = {});

// The same for tensors that are made one by one (a conversion): declares all, then takes each in order().
class SafetensorsWriter {
 public:
  struct Spec {
    std::string name;
    const FileDType* dtype = nullptr;  // FindFileDType("F16"), FileDTypeOf(DType::kF32)
    Shape shape;
  };
  static absl::StatusOr<SafetensorsWriter> Create(const std::string& path, std::vector<Spec> tensors,
                                                  const SafetensorsMetadata& metadata = {});

  // In the order of the file.
  const std::vector<Spec>& order() const { return specs_; }
  // Writes the next tensor, of that name and shape (CHECKed). Any strides, any device. f32 is rounded to F16 where that
  // was declared; other dtypes must be the declared one.
  absl::Status Append(std::string_view name, const Tensor& tensor);
  // After the last tensor.
  absl::Status Commit();

 private:
  explicit SafetensorsWriter(AtomicFile file) : file_(std::move(file)) {}

  AtomicFile file_;
  std::vector<Spec> specs_;
  size_t next_ = 0;
};

}  // namespace quern

#endif  // QUERN_TENSOR_IO_SAFETENSORS_WRITER_H_
