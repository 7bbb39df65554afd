// Tokenizer files that are told apart by their bytes: llama2.c's tokenizer.bin, tiktoken ranks, and what is refused by
// name.
#include <cstdint>

#include "tests/fuzz/memory_file.h"
#include "tests/fuzz/use_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const quern::MemoryFile file(data, size);
  for (const char* pattern : {"", "gpt2"}) {
    auto tokenizer = quern::Tokenizer::Load(file.path(), {.pattern = pattern});
    if (!tokenizer.ok()) continue;
    quern::UseTokenizer(*tokenizer, bytes);
    // What it would be written out as is a tokenizer.json.
    CHECK_OK(quern::Tokenizer::FromJson(tokenizer->json()).status());
  }
  return 0;
}
