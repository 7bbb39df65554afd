#include "data/tokenizer/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "data/tokenizer/char_class.h"

namespace quern {
namespace {

constexpr int kCharacters = 0x144;

struct Alphabet {
  std::array<uint16_t, 256> character{};
  std::array<int16_t, kCharacters> byte{};
};

constexpr Alphabet kAlphabet = [] {
  Alphabet alphabet;
  for (int16_t& byte : alphabet.byte) byte = -1;
  uint16_t next = 0x100;
  for (int b = 0; b < 256; ++b) {
    const bool printable = (b >= '!' && b <= '~') || (b >= 0xA1 && b <= 0xAC) || b >= 0xAE;
    alphabet.character[b] = printable ? static_cast<uint16_t>(b) : next++;
    alphabet.byte[alphabet.character[b]] = static_cast<int16_t>(b);
  }
  return alphabet;
}();

}  // namespace

std::string BytesToAlphabet(std::string_view bytes) {
  std::string text;
  for (char c : bytes) {
    const uint16_t character = kAlphabet.character[static_cast<uint8_t>(c)];
    if (character < 0x80) {
      text += static_cast<char>(character);
    } else {
      text += static_cast<char>(0xC0 | character >> 6);
      text += static_cast<char>(0x80 | (character & 0x3F));
    }
  }
  return text;
}

std::optional<std::string> AlphabetToBytes(std::string_view text) {
  std::string bytes;
  const char* end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const CodePoint point = ReadCodePoint(p, end);
    if (point.value < 0 || point.value >= kCharacters || kAlphabet.byte[point.value] < 0) return std::nullopt;
    bytes += static_cast<char>(kAlphabet.byte[point.value]);
    p += point.size;
  }
  return bytes;
}

}  // namespace quern
