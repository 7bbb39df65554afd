#include "data/tokenizer/char_class.h"

#include <algorithm>

#include "unicode/uchar.h"

namespace quern {
namespace {

uint8_t ClassesOfCategory(int8_t category) {
  switch (category) {
    case U_UPPERCASE_LETTER:
    case U_TITLECASE_LETTER:
      return kLetter | kUpperish;
    case U_LOWERCASE_LETTER:
      return kLetter | kLowerish;
    case U_MODIFIER_LETTER:
    case U_OTHER_LETTER:
      return kLetter | kUpperish | kLowerish;
    case U_NON_SPACING_MARK:
    case U_ENCLOSING_MARK:
    case U_COMBINING_SPACING_MARK:
      return kUpperish | kLowerish;
    case U_DECIMAL_DIGIT_NUMBER:
    case U_LETTER_NUMBER:
    case U_OTHER_NUMBER:
      return kNumber;
    default:
      return 0;
  }
}

}  // namespace

CharClasses::CharClasses() {
  blocks_.reserve(512);
  blocks_.emplace_back();
  u_enumCharTypes(
      [](const void* self, UChar32 begin, UChar32 end, UCharCategory category) -> UBool {
        auto* table = static_cast<CharClasses*>(const_cast<void*>(self));
        if (uint8_t classes = ClassesOfCategory(category); classes != 0) table->Add(begin, end, classes);
        return true;
      },
      this);
  // White_Space, the whole of it (Unicode 15.0, PropList.txt).
  for (int32_t space : {0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000})
    Add(space, space + 1, kSpace);
  Add(0x09, 0x0E, kSpace);
  Add(0x2000, 0x200B, kSpace);
  Add('\n', '\n' + 1, kNewline);
  Add('\r', '\r' + 1, kNewline);
  for (int c = 0; c < 128; ++c) ascii_[c] = Of(c);
}

void CharClasses::Add(int32_t begin, int32_t end, uint8_t classes) {
  while (begin < end) {
    const int32_t stop = std::min(end, (begin | 0xFF) + 1);
    uint16_t& block = block_[begin >> 8];
    if (block == 0) {
      block = static_cast<uint16_t>(blocks_.size());
      blocks_.emplace_back();
    }
    for (; begin < stop; ++begin) blocks_[block][begin & 0xFF] |= classes;
  }
}

const CharClasses& CharClasses::Get() {
  static const CharClasses* const classes = new CharClasses();
  return *classes;
}

bool IsWordCharacter(int32_t c) {
  if (c < 0) return false;
  return u_isUAlphabetic(c) || u_charType(c) == U_DECIMAL_DIGIT_NUMBER || u_charType(c) == U_CONNECTOR_PUNCTUATION ||
         (U_MASK(u_charType(c)) & U_GC_M_MASK) != 0 || u_hasBinaryProperty(c, UCHAR_JOIN_CONTROL);
}

bool IsSpaceCharacter(int32_t c) { return (CharClasses::Get().Of(c) & kSpace) != 0; }

}  // namespace quern
