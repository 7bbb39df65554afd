// Reading .safetensors: https://huggingface.co/docs/safetensors (format section).
//
//   u64 little-endian n | n bytes of JSON: {"name": {"dtype": "F32", "shape": [2,3], "data_offsets": [0,24]}, ...,
//   "__metadata__": {"text": "text"}} | the data, offsets counted from its start
//
// A file is hostile until Open has checked it: the header's length against the file (and the format's bound of 100 MB),
// JSON without duplicate names, known dtypes, at most six axes, sizes whose product and bytes do not overflow and equal
// the offsets' difference, and data that the tensors cover without overlap, hole or rest. Errors are InvalidArgument
// and name the file, the tensor and the way to mend it. Nothing of the data is read by Open.
#ifndef QUERN_TENSOR_IO_SAFETENSORS_H_
#define QUERN_TENSOR_IO_SAFETENSORS_H_

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/file.h"
#include "tensor/io/file_dtype.h"
#include "tensor/tensor.h"

namespace quern {

struct SafetensorsEntry {
  const FileDType* dtype = nullptr;
  Shape shape;
  uint64_t begin = 0, end = 0;  // bytes, counted from the start of the file
};

class SafetensorsFile {
 public:
  static absl::StatusOr<SafetensorsFile> Open(const std::string& path);

  const std::string& path() const { return file_->path(); }
  // Sorted by byte value.
  const std::vector<std::string>& names() const { return names_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // Null when there is no such tensor.
  const SafetensorsEntry* entry(std::string_view name) const;

  // A read-only view of the mapped file, which it keeps alive; a copy where the file's header leaves the data unaligned
  // for its dtype. NotFound suggests the nearest name. InvalidArgument for a dtype that tensors do not have, F16 among
  // them.
  absl::StatusOr<Tensor> Find(std::string_view name) const;

  // The same as f32 or bf16: a view when the file holds that dtype, else a converted copy of F32, BF16, F16 or F64
  // (rounded to nearest even). This is how F16 is read: there is no f16 dtype, and f32 holds each of its values
  // exactly. ResourceExhausted when there is no room for the copy.
  absl::StatusOr<Tensor> FindAs(std::string_view name, DType dtype) const;

 private:
  absl::Status ReadHeader();
  absl::Status CheckCoverage(uint64_t data_begin) const;
  absl::StatusOr<const SafetensorsEntry*> Need(std::string_view name) const;

  std::shared_ptr<const MappedFile> file_;
  Storage storage_;  // the whole map
  std::map<std::string, SafetensorsEntry, std::less<>> entries_;
  std::map<std::string, std::string> metadata_;
  std::vector<std::string> names_;
};

}  // namespace quern

#endif  // QUERN_TENSOR_IO_SAFETENSORS_H_
