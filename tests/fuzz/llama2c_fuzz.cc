// A checkpoint of llama2.c: what Open accepts can be read to its last byte.
#include <cstdint>

#include "base/log.h"
#include "tensor/io/llama2c.h"
#include "tests/fuzz/memory_file.h"

namespace quern {
namespace {

void Read(const Llama2cFile& file, size_t size) {
  CHECK(file.header().n_heads > 0 && file.header().head_size() * file.header().n_heads == file.header().dim);
  uint64_t bytes = 0;
  volatile unsigned sum = 0;
  for (const char* name : {"token_embedding_table", "rms_att_weight", "wq", "wk", "wv", "wo", "rms_ffn_weight", "w1",
                           "w2", "w3", "rms_final_weight", "wcls"}) {
    if (name == std::string_view("wcls") && file.header().shared_classifier) continue;
    const Tensor tensor = file.Get(name);
    bytes += static_cast<uint64_t>(tensor.bytes());
    for (int64_t i = 0; i < tensor.bytes(); ++i) sum = sum + static_cast<unsigned char>(tensor.raw()[i]);
  }
  CHECK(bytes <= size) << "no byte is two tensors'";
}

}  // namespace
}  // namespace quern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const quern::MemoryFile bytes(data, size);
  auto file = quern::Llama2cFile::Open(bytes.path());
  if (file.ok()) quern::Read(*file, size);
  return 0;
}
