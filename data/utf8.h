// Well-formed UTF-8 (Unicode 15, table 3-7), and what to do about the rest.
#ifndef QUERN_DATA_UTF8_H_
#define QUERN_DATA_UTF8_H_

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

// Code points of well-formed UTF-8: bytes that do not continue a sequence.
int64_t CountCodePoints(std::string_view text);

// The code point at `*at` of well-formed UTF-8; advances `*at` past it.
char32_t NextCodePoint(std::string_view text, size_t* at);

}  // namespace quern

#endif  // QUERN_DATA_UTF8_H_
