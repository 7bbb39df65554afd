// A tokenizer.json.
#include <cstdint>

#include "tests/fuzz/use_tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  auto tokenizer = quern::Tokenizer::FromJson(json);
  if (!tokenizer.ok()) return 0;
  CHECK(tokenizer->json() == json);
  quern::UseTokenizer(*tokenizer, json);
  return 0;
}
