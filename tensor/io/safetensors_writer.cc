#include "tensor/io/safetensors_writer.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status_macros.h"

namespace quern {
namespace {

// Text as JSON, or an error where it is not UTF-8.
absl::StatusOr<std::string> Quote(const std::string& text, const std::string& path) {
  const std::string quoted = WriteJsonLine(text);
  absl::StatusOr<Json> back = ParseJson(quoted, "name");
  if (back.ok() && *back == text) return quoted;
  return absl::InvalidArgumentError(absl::StrCat("writing ", path, ": the name ", quoted, " is not UTF-8; rename it"));
}

absl::StatusOr<std::string> Header(const std::string& path, const std::vector<SafetensorsWriter::Spec>& specs,
                                   const SafetensorsMetadata& metadata) {
  std::string json = "{", separator;
  if (!metadata.empty()) {
    json += "\"__metadata__\":{";
    for (const auto& [key, value] : metadata) {
      ASSIGN_OR_RETURN(std::string quoted_key, Quote(key, path));
      ASSIGN_OR_RETURN(std::string quoted_value, Quote(value, path));
      absl::StrAppend(&json, separator, quoted_key, ":", quoted_value);
      separator = ",";
    }
    json += "}";
    separator = ",";
  }
  uint64_t offset = 0;
  for (const SafetensorsWriter::Spec& spec : specs) {
    ASSIGN_OR_RETURN(std::string name, Quote(spec.name, path));
    const uint64_t end = offset + static_cast<uint64_t>(spec.shape.elements() * spec.dtype->size);
    absl::StrAppend(&json, separator, name, ":{\"dtype\":\"", std::string(spec.dtype->name),
                    "\",\"shape\":", ToString(spec.shape), ",\"data_offsets\":[", offset, ",", end, "]}");
    separator = ",";
    offset = end;
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  return json;
}

absl::Status CheckNames(const std::string& path, const std::vector<SafetensorsWriter::Spec>& specs) {
  std::vector<std::string_view> names;
  for (const SafetensorsWriter::Spec& spec : specs) names.push_back(spec.name);
  std::sort(names.begin(), names.end());
  auto twice = std::adjacent_find(names.begin(), names.end());
  if (twice != names.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("writing ", path, ": two tensors are named \"", std::string(*twice), "\""));
  }
  if (std::binary_search(names.begin(), names.end(), std::string_view("__metadata__"))) {
    return absl::InvalidArgumentError(absl::StrCat("writing ", path, ": \"__metadata__\" cannot name a tensor"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SafetensorsWriter> SafetensorsWriter::Create(const std::string& path, std::vector<Spec> tensors,
                                                            const SafetensorsMetadata& metadata) {
  RETURN_IF_ERROR(CheckNames(path, tensors));
  std::sort(tensors.begin(), tensors.end(), [](const Spec& a, const Spec& b) {
    // Rows of one table: its order is the format's.
    return std::tie(b.dtype, a.name) < std::tie(a.dtype, b.name);
  });
  ASSIGN_OR_RETURN(std::string header, Header(path, tensors, metadata));
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  std::string length;
  for (int shift = 0; shift < 64; shift += 8) length += static_cast<char>(uint64_t{header.size()} >> shift);
  RETURN_IF_ERROR(file.Append(length));
  RETURN_IF_ERROR(file.Append(header));
  SafetensorsWriter writer(std::move(file));
  writer.specs_ = std::move(tensors);
  return writer;
}

absl::Status SafetensorsWriter::Append(std::string_view name, const Tensor& tensor) {
  CHECK_LT(next_, specs_.size()) << "SafetensorsWriter: every declared tensor has been written.";
  const Spec& spec = specs_[next_++];
  CHECK(spec.name == name && spec.shape == tensor.shape()) << "SafetensorsWriter: tensors come in order(); got " << name
                                                           << " " << tensor << " for " << spec.name << spec.shape;
  const Tensor dense = tensor.To(Cpu()).Contiguous();
  if (spec.dtype->dtype == dense.dtype()) {
    return file_.Append({reinterpret_cast<const char*>(dense.raw()), static_cast<size_t>(dense.bytes())});
  }
  CHECK(spec.dtype->name == "F16" && dense.dtype() == DType::kF32)
      << "SafetensorsWriter: " << spec.name << " was declared " << spec.dtype->name << "; got " << tensor;
  const float* values = dense.data<float>();
  constexpr int64_t kBlock = 1 << 16;
  std::vector<uint16_t> block;
  for (int64_t begin = 0; begin < dense.elements(); begin += kBlock) {
    const int64_t n = std::min(kBlock, dense.elements() - begin);
    block.resize(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) block[static_cast<size_t>(i)] = FloatToHalf(values[begin + i]);
    RETURN_IF_ERROR(file_.Append({reinterpret_cast<const char*>(block.data()), block.size() * sizeof(uint16_t)}));
  }
  return absl::OkStatus();
}

absl::Status SafetensorsWriter::Commit() {
  CHECK_EQ(next_, specs_.size()) << "SafetensorsWriter: Commit comes after the last tensor.";
  return file_.Commit();
}

absl::Status WriteSafetensors(const std::string& path, const std::vector<NamedTensor>& tensors,
                              const SafetensorsMetadata& metadata) {
  std::map<std::string, const Tensor*> by_name;
  std::vector<SafetensorsWriter::Spec> specs;
  for (const NamedTensor& named : tensors) {
    CHECK(named.tensor.defined()) << "WriteSafetensors: " << named.name << " has no tensor.";
    by_name[named.name] = &named.tensor;
    specs.push_back({named.name, &FileDTypeOf(named.tensor.dtype()), named.tensor.shape()});
  }
  ASSIGN_OR_RETURN(SafetensorsWriter writer, SafetensorsWriter::Create(path, std::move(specs), metadata));
  for (const SafetensorsWriter::Spec& spec : writer.order()) {
    RETURN_IF_ERROR(writer.Append(spec.name, *by_name[spec.name]));
  }
  return writer.Commit();
}

}  // namespace quern
