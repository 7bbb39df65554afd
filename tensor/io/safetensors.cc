#include "tensor/io/safetensors.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "base/foreign_file.h"
#include "base/json.h"
#include "base/little_endian.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "tensor/memory.h"

namespace quern {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr char kMetadata[] = "__metadata__";
constexpr int kHeaderDepth = 3;  // {"name": {"shape": [...

absl::Status Damaged(const std::string& path, const std::string& why) {
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": ", why, "; the file is damaged or not safetensors. Download or convert it again"));
}

absl::Status DamagedTensor(const std::string& path, const std::string& name, const std::string& why) {
  return Damaged(path, absl::StrCat("tensor ", WriteJsonLine(name.substr(0, 200)), ": ", why));
}

bool ReadSize(const Json& value, int64_t& size) {
  if (!value.is_number_unsigned() || value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) return false;
  size = static_cast<int64_t>(value.get<uint64_t>());
  return true;
}

// The dtype, shape and offsets of one tensor; messages without file and name.
absl::StatusOr<SafetensorsEntry> ParseEntry(const Json& value, uint64_t data_begin, uint64_t data_bytes) {
  auto refuse = [](const std::string& why) { return absl::InvalidArgumentError(why); };
  if (!value.is_object()) return refuse("its entry is not an object");
  for (const auto& field : value.items()) {
    if (field.key() != "dtype" && field.key() != "shape" && field.key() != "data_offsets") {
      return refuse(absl::StrCat("unknown field ", WriteJsonLine(field.key().substr(0, 200))));
    }
  }
  SafetensorsEntry entry;
  ASSIGN_OR_RETURN(std::string dtype, JsonString(value, "dtype", "entry"));
  entry.dtype = FindFileDType(dtype);
  if (entry.dtype == nullptr) return refuse(absl::StrCat("unknown dtype ", WriteJsonLine(dtype.substr(0, 200))));

  auto shape = value.find("shape");
  if (shape == value.end() || !shape->is_array()) return refuse("shape is missing or not an array");
  if (shape->size() > kMaxRank) return refuse(absl::StrCat("more than ", kMaxRank, " axes: ", shape->size()));
  std::vector<int64_t> dims(shape->size());
  int64_t bytes = entry.dtype->size, strides = 1;  // strides: of an empty tensor too
  for (size_t i = 0; i < dims.size(); ++i) {
    if (!ReadSize((*shape)[i], dims[i])) return refuse("shape holds something that is not a size");
    if (__builtin_mul_overflow(bytes, dims[i], &bytes) ||
        __builtin_mul_overflow(strides, std::max<int64_t>(1, dims[i]), &strides)) {
      return refuse("the product of its shape overflows");
    }
  }
  entry.shape = Shape(std::span<const int64_t>(dims));

  auto offsets = value.find("data_offsets");
  int64_t begin = 0, end = 0;
  if (offsets == value.end() || !offsets->is_array() || offsets->size() != 2 || !ReadSize((*offsets)[0], begin) ||
      !ReadSize((*offsets)[1], end)) {
    return refuse("data_offsets is not two sizes");
  }
  if (begin > end) return refuse("data_offsets ends before it begins");
  if (static_cast<uint64_t>(end) > data_bytes) {
    return refuse(absl::StrCat("its data ends at byte ", end, ", past the ", data_bytes, " bytes of data in the file"));
  }
  if (end - begin != bytes) {
    return refuse(absl::StrCat(std::string(entry.dtype->name), ToString(entry.shape), " needs ", bytes,
                               " bytes, data_offsets give it ", end - begin));
  }
  entry.begin = data_begin + static_cast<uint64_t>(begin);
  entry.end = data_begin + static_cast<uint64_t>(end);
  return entry;
}

// Element i of `source` in f32 (of f64 in f64, so that it is rounded once).
template <typename Write>
void ForEachElement(std::string_view dtype, const char* source, int64_t n, const Write& write) {
  auto load = [&](auto zero, int64_t i) {
    std::memcpy(&zero, source + i * static_cast<int64_t>(sizeof(zero)), sizeof(zero));  // may be unaligned
    return zero;
  };
  if (dtype == "F32") {
    for (int64_t i = 0; i < n; ++i) write(i, load(float{}, i));
  } else if (dtype == "BF16") {
    for (int64_t i = 0; i < n; ++i) write(i, static_cast<float>(load(BFloat16{}, i)));
  } else if (dtype == "F16") {
    for (int64_t i = 0; i < n; ++i) write(i, HalfToFloat(load(uint16_t{}, i)));
  } else {
    for (int64_t i = 0; i < n; ++i) write(i, load(double{}, i));
  }
}

// f64 to bf16 in one rounding: the f32 in between is rounded to odd, which leaves a trace of what was cut off.
BFloat16 RoundToBFloat16(float value) { return BFloat16(value); }
BFloat16 RoundToBFloat16(double value) {
  float narrow = static_cast<float>(value);
  uint32_t bits = std::bit_cast<uint32_t>(narrow);
  const double back = static_cast<double>(narrow);
  if (std::isfinite(value) && back != value && (bits & 1u) == 0) {
    const bool away = std::abs(back) > std::abs(value);
    bits = away ? bits - 1 : bits | 1;
  }
  return BFloat16(std::bit_cast<float>(bits));
}

}  // namespace

absl::StatusOr<SafetensorsFile> SafetensorsFile::Open(const std::string& path) {
  SafetensorsFile opened;
  ASSIGN_OR_RETURN(opened.file_, MappedFile::Open(path));
  RETURN_IF_ERROR(opened.ReadHeader());
  const std::string_view bytes = opened.file_->bytes();
  opened.storage_ = Storage::Wrap(const_cast<char*>(bytes.data()), static_cast<int64_t>(bytes.size()), opened.file_,
                                  /*read_only=*/true);
  return opened;
}

absl::Status SafetensorsFile::ReadHeader() {
  const std::string_view bytes = file_->bytes();
  if (bytes.size() < kLengthBytes) return Damaged(path(), absl::StrCat("only ", bytes.size(), " bytes long"));
  const uint64_t length = ReadLittleEndian<uint64_t>(bytes, 0);
  if (const ForeignFile* foreign = FindForeignFile(bytes); foreign != nullptr && length > kMaxHeaderBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(path(), " is ", std::string(foreign->name), ", not safetensors. ", std::string(foreign->mend)));
  }
  if (length > bytes.size() - kLengthBytes) {
    return Damaged(path(),
                   absl::StrCat("its header is said to be ", length, " bytes long, in a file of ", bytes.size()));
  }
  if (length > kMaxHeaderBytes) {
    return Damaged(path(), absl::StrCat("a header of ", length, " bytes; the format allows ", kMaxHeaderBytes));
  }
  const std::string_view text = bytes.substr(kLengthBytes, length);
  if (text.empty() || text[0] != '{') return Damaged(path(), "its header does not start with {");
  absl::StatusOr<Json> header = ParseJson(text, "header", kHeaderDepth);
  if (!header.ok()) return Damaged(path(), std::string(header.status().message()));

  const uint64_t data_begin = kLengthBytes + length;
  for (const auto& item : header->items()) {
    if (item.key() == kMetadata) continue;
    absl::StatusOr<SafetensorsEntry> entry = ParseEntry(item.value(), data_begin, bytes.size() - data_begin);
    if (!entry.ok()) return DamagedTensor(path(), item.key(), std::string(entry.status().message()));
    entries_.emplace(item.key(), *entry);
    names_.push_back(item.key());
  }
  if (auto metadata = header->find(kMetadata); metadata != header->end()) {
    if (!metadata->is_object()) return Damaged(path(), "__metadata__ is not an object");
    for (const auto& item : metadata->items()) {
      if (!item.value().is_string()) return Damaged(path(), "__metadata__ holds something that is not text");
      metadata_.emplace(item.key(), item.value().get<std::string>());
    }
  }
  return CheckCoverage(data_begin);
}

absl::Status SafetensorsFile::CheckCoverage(uint64_t data_begin) const {
  std::vector<const std::pair<const std::string, SafetensorsEntry>*> by_place;
  for (const auto& item : entries_) by_place.push_back(&item);
  std::stable_sort(by_place.begin(), by_place.end(), [](auto* a, auto* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  uint64_t next = data_begin;
  for (const auto* item : by_place) {
    if (item->second.begin < next) return DamagedTensor(path(), item->first, "its data overlaps another tensor's");
    if (item->second.begin > next) {
      return DamagedTensor(
          path(), item->first,
          absl::StrCat("a hole of ", item->second.begin - next, " bytes that no tensor covers lies before it"));
    }
    next = item->second.end;
  }
  if (next != file_->bytes().size()) {
    return Damaged(path(), absl::StrCat("its last ", file_->bytes().size() - next, " bytes belong to no tensor"));
  }
  return absl::OkStatus();
}

const SafetensorsEntry* SafetensorsFile::entry(std::string_view name) const {
  auto it = entries_.find(name);
  return it == entries_.end() ? nullptr : &it->second;
}

absl::StatusOr<const SafetensorsEntry*> SafetensorsFile::Need(std::string_view name) const {
  if (const SafetensorsEntry* found = entry(name)) return found;
  return absl::NotFoundError(
      absl::StrCat(path(), ": no tensor \"", std::string(name), "\" in it.", DidYouMean(name, names_)));
}

absl::StatusOr<Tensor> SafetensorsFile::Find(std::string_view name) const {
  ASSIGN_OR_RETURN(const SafetensorsEntry* found, Need(name));
  if (!found->dtype->dtype) {
    return absl::InvalidArgumentError(absl::StrCat(path(), ": tensor \"", std::string(name), "\" is ",
                                                   std::string(found->dtype->name),
                                                   ", which is not computed with; convert the file to f32 or bf16"));
  }
  const char* address = file_->bytes().data() + found->begin;
  if (reinterpret_cast<uintptr_t>(address) % static_cast<uintptr_t>(found->dtype->size) == 0) {
    return Tensor::View(storage_, static_cast<int64_t>(found->begin), found->shape, *found->dtype->dtype);
  }
  RETURN_IF_ERROR(MemoryBudget::Reserve(static_cast<int64_t>(found->end - found->begin), Cpu(), path()));
  Tensor copy = Tensor::Empty(found->shape, *found->dtype->dtype);
  std::memcpy(copy.mutable_raw(), address, found->end - found->begin);
  return copy;
}

absl::StatusOr<Tensor> SafetensorsFile::FindAs(std::string_view name, DType dtype) const {
  CHECK(dtype == DType::kF32 || dtype == DType::kBF16) << "FindAs: to f32 or bf16; got " << Name(dtype);
  ASSIGN_OR_RETURN(const SafetensorsEntry* found, Need(name));
  if (found->dtype->dtype == dtype) return Find(name);
  const std::string_view from = found->dtype->name;
  if (from != "F32" && from != "BF16" && from != "F16" && from != "F64") {
    return absl::InvalidArgumentError(absl::StrCat(path(), ": tensor \"", std::string(name), "\" is ",
                                                   std::string(from),
                                                   "; expected a floating-point type (F32, BF16, F16 or F64)"));
  }
  const int64_t n = found->shape.elements();
  RETURN_IF_ERROR(MemoryBudget::Reserve(n * SizeOf(dtype), Cpu(), path()));
  Tensor converted = Tensor::Empty(found->shape, dtype);
  const char* source = file_->bytes().data() + found->begin;
  if (dtype == DType::kF32) {
    float* out = converted.mutable_data<float>();
    ForEachElement(from, source, n, [out](int64_t i, auto value) { out[i] = static_cast<float>(value); });
  } else {
    BFloat16* out = converted.mutable_data<BFloat16>();
    ForEachElement(from, source, n, [out](int64_t i, auto value) { out[i] = RoundToBFloat16(value); });
  }
  return converted;
}

}  // namespace quern
