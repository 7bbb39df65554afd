// Classes of characters, as the split patterns name them (\p{L}, \p{N}, \s, ...), and the step through UTF-8.
//
// ASCII comes from a table of 256 entries; the rest from ICU's data (72.1: Unicode 15.0), read once into a two-level
// table. \s is the property White_Space. A byte that is not part of well-formed UTF-8 is a character by itself and
// belongs to no class.
#ifndef QUERN_DATA_TOKENIZER_CHAR_CLASS_H_
#define QUERN_DATA_TOKENIZER_CHAR_CLASS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace quern {

// A character's classes are a set of these bits.
enum CharClass : uint8_t {
  kLetter = 1,     // \p{L}
  kNumber = 2,     // \p{N}
  kSpace = 4,      // \s
  kNewline = 8,    // [\r\n]
  kUpperish = 16,  // [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]
  kLowerish = 32,  // [\p{Ll}\p{Lm}\p{Lo}\p{M}]
};

// One character of a text: its code point (-1 for a byte that is not UTF-8) and its size in bytes.
struct CodePoint {
  int32_t value;
  uint32_t size;
};

// The character at `p` < `end`, well-formed by table 3-7 of Unicode 15.0.
inline CodePoint ReadCodePoint(const char* p, const char* end) {
  const auto byte = [p](int i) { return static_cast<uint8_t>(p[i]); };
  const uint8_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const auto continues = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
  if (lead < 0xE0) {
    if (lead < 0xC2 || end - p < 2 || !continues(1)) return {-1, 1};
    return {(lead & 0x1F) << 6 | (byte(1) & 0x3F), 2};
  }
  if (lead < 0xF0) {
    if (end - p < 3 || !continues(1) || !continues(2)) return {-1, 1};
    const int32_t value = (lead & 0x0F) << 12 | (byte(1) & 0x3F) << 6 | (byte(2) & 0x3F);
    const bool surrogate = value >= 0xD800 && value < 0xE000;
    return value < 0x800 || surrogate ? CodePoint{-1, 1} : CodePoint{value, 3};
  }
  if (lead > 0xF4 || end - p < 4 || !continues(1) || !continues(2) || !continues(3)) return {-1, 1};
  const int32_t value = (lead & 0x07) << 18 | (byte(1) & 0x3F) << 12 | (byte(2) & 0x3F) << 6 | (byte(3) & 0x3F);
  return value < 0x10000 || value > 0x10FFFF ? CodePoint{-1, 1} : CodePoint{value, 4};
}

class CharClasses {
 public:
  // The one table there is.
  static const CharClasses& Get();

  uint8_t Of(int32_t code_point) const {
    return code_point < 0 ? 0 : blocks_[block_[code_point >> 8]][code_point & 0xFF];
  }

  struct Char {
    uint32_t classes;
    uint32_t size;
  };
  // Classes and size of the character at `p` < `end`.
  Char Read(const char* p, const char* end) const {
    const uint8_t lead = static_cast<uint8_t>(*p);
    if (lead < 0x80) return {ascii_[lead], 1};
    const CodePoint point = ReadCodePoint(p, end);
    return {Of(point.value), point.size};
  }
  // Of ASCII bytes; 0 for the rest.
  uint8_t Ascii(char c) const { return ascii_[static_cast<uint8_t>(c)]; }

 private:
  using Block = std::array<uint8_t, 256>;
  CharClasses();
  void Add(int32_t begin, int32_t end, uint8_t classes);

  std::array<uint8_t, 256> ascii_{};
  std::array<uint16_t, 0x1100> block_{};  // of each 256 code points; 0 is the block without classes
  std::vector<Block> blocks_;
};

// \w: letters, marks, decimal numbers, connectors. Slow; for the edges of added tokens only.
bool IsWordCharacter(int32_t code_point);
// \s.
bool IsSpaceCharacter(int32_t code_point);

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_CHAR_CLASS_H_
