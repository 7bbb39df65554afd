// A .safetensors file: what Open accepts can be read to its last byte, in every way there is.
#include <cstdint>

#include "base/log.h"
#include "tensor/io/safetensors.h"
#include "tests/fuzz/memory_file.h"

namespace quern {
namespace {

void Touch(const absl::StatusOr<Tensor>& tensor, const SafetensorsEntry& entry) {
  if (!tensor.ok()) return;
  CHECK(tensor->shape() == entry.shape);
  volatile unsigned sum = 0;
  for (int64_t i = 0; i < tensor->bytes(); ++i) sum = sum + static_cast<unsigned char>(tensor->raw()[i]);
}

void Read(const SafetensorsFile& file, uint64_t size) {
  uint64_t bytes = 0;
  for (const std::string& name : file.names()) {
    const SafetensorsEntry* entry = file.entry(name);
    CHECK(entry != nullptr && entry->begin <= entry->end && entry->end <= size) << name;
    CHECK_EQ(entry->end - entry->begin, static_cast<uint64_t>(entry->shape.elements() * entry->dtype->size));
    bytes += entry->end - entry->begin;
    Touch(file.Find(name), *entry);
    Touch(file.FindAs(name, DType::kF32), *entry);
    Touch(file.FindAs(name, DType::kBF16), *entry);
  }
  CHECK(bytes <= size) << "no byte is two tensors'";
  CHECK(!file.Find("no such tensor").ok() || file.entry("no such tensor") != nullptr);
}

}  // namespace
}  // namespace quern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const quern::MemoryFile bytes(data, size);
  auto file = quern::SafetensorsFile::Open(bytes.path());
  if (file.ok()) quern::Read(*file, size);
  return 0;
}
