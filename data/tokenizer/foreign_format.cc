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

}  // namespace

std::string_view ForeignFormat(std::string_view bytes) {
  if (bytes.substr(0, 4) == "GGUF") return "a GGUF file";
  if (IsSentencePiece(bytes)) return "a SentencePiece model";
  return "";
}

}  // namespace quern
