#include "data/tokenizer/foreign_format.h"

#include <cstddef>
#include <cstdint>

namespace quern {
namespace {

// ModelProto: its first field is a piece, which holds its text and then a score or a type.
bool IsSentencePiece(std::string_view bytes) {
  if (bytes.size() < 5 || bytes[0] != 0x0A || bytes[2] != 0x0A) return false;
  const size_t text_end = size_t{4} + static_cast<uint8_t>(bytes[3]);
  return text_end < bytes.size() && (bytes[text_end] == 0x15 || bytes[text_end] == 0x18);
}

// The greatest length, then for each token a float, its length and its bytes, to the end of the file.
bool IsLlama2c(std::string_view bytes) {
  const auto read = [bytes](size_t at) {
    uint32_t value = 0;
    for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
    return value;
  };
  if (bytes.size() < 12) return false;
  const uint32_t longest = read(0);
  size_t at = 4;
  while (bytes.size() - at >= 8) {
    const uint32_t size = read(at + 4);
    if (size > longest || size > bytes.size() - at - 8) return false;
    at += 8 + size;
  }
  return at == bytes.size();
}

}  // namespace

std::string_view ForeignFormat(std::string_view bytes) {
  if (bytes.substr(0, 4) == "GGUF") return "a GGUF file";
  if (IsSentencePiece(bytes)) return "a SentencePiece model";
  if (IsLlama2c(bytes)) return "a tokenizer.bin of llama2.c";
  return "";
}

}  // namespace quern
