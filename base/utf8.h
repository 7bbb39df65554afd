// Well-formed UTF-8 (Unicode 15, table 3-7), and what to do about the rest.
#ifndef QUERN_BASE_UTF8_H_
#define QUERN_BASE_UTF8_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace quern {

// Length of the longest well-formed prefix: text.size() where all of it is.
size_t ValidUtf8Prefix(std::string_view text);

struct Utf8Repair {
  int64_t replacements = 0;   // U+FFFD written
  int64_t invalid_bytes = 0;  // bytes that they stand for
};
// Appends `text` to `out`, with each maximal subpart of an ill-formed sequence replaced by U+FFFD (Unicode 15, section
// 3.9, "U+FFFD Substitution of Maximal Subparts"; the WHATWG decoder does the same). `out` may be null, to count only.
Utf8Repair RepairUtf8(std::string_view text, std::string* out);

// Bytes at the end of `text` that begin a character which more bytes could complete: 0 to 3.
size_t IncompleteUtf8Suffix(std::string_view text);

// Code points of well-formed UTF-8: bytes that do not continue a sequence.
int64_t CountCodePoints(std::string_view text);

// The code point at `*at` of well-formed UTF-8; advances `*at` past it.
char32_t NextCodePoint(std::string_view text, size_t* at);

// Appends the UTF-8 of a code point below 0x110000 that is no surrogate.
void AppendUtf8(char32_t point, std::string* out);

}  // namespace quern

#endif  // QUERN_BASE_UTF8_H_
