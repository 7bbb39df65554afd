#include "base/utf8.h"

#include <algorithm>
#include <cstring>

namespace quern {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080u;

// Length of the ASCII run at the start.
size_t AsciiPrefix(const char* text, size_t size) {
  size_t at = 0;
  for (uint64_t word; at + 8 <= size; at += 8) {
    std::memcpy(&word, text + at, 8);
    if (word & kHighBits) break;
  }
  while (at < size && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

// Bytes of the character that a byte begins, in 2..4; 1 for a byte that begins none of several bytes.
size_t LengthByLead(unsigned char lead) {
  if (lead < 0xC2 || lead > 0xF4) return 1;
  return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

struct Sequence {
  size_t size;  // bytes of the character, or of the maximal subpart
  bool well_formed;
};

// The sequence at the start of `text`, which is not empty and does not start with ASCII.
Sequence ReadSequence(const char* text, size_t size) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  const size_t length = LengthByLead(lead);
  if (length == 1) return {1, false};
  // The second byte's range is what keeps out overlong forms, surrogates and what lies above U+10FFFF.
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (size < 2 || byte(1) < low || byte(1) > high) return {1, false};
  for (size_t i = 2; i < length; ++i) {
    if (i >= size || (byte(i) & 0xC0) != 0x80) return {i, false};
  }
  return {length, true};
}

}  // namespace

size_t ValidUtf8Prefix(std::string_view text) {
  size_t at = 0;
  while (true) {
    at += AsciiPrefix(text.data() + at, text.size() - at);
    while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x80) {
      const Sequence sequence = ReadSequence(text.data() + at, text.size() - at);
      if (!sequence.well_formed) return at;
      at += sequence.size;
    }
    if (at == text.size()) return at;
  }
}

Utf8Repair RepairUtf8(std::string_view text, std::string* out) {
  Utf8Repair repair;
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    if (out != nullptr) out->append(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    const Sequence sequence = ReadSequence(text.data(), text.size());
    if (out != nullptr) out->append("\xEF\xBF\xBD");
    repair.replacements += 1;
    repair.invalid_bytes += static_cast<int64_t>(sequence.size);
    text.remove_prefix(sequence.size);
  }
  return repair;
}

size_t IncompleteUtf8Suffix(std::string_view text) {
  for (size_t size = std::min<size_t>(3, text.size()); size > 0; --size) {
    const std::string_view suffix = text.substr(text.size() - size);
    const size_t length = LengthByLead(static_cast<unsigned char>(suffix[0]));
    if (length > size && ReadSequence(suffix.data(), size).size == size) return size;
  }
  return 0;
}

int64_t CountCodePoints(std::string_view text) {
  int64_t count = 0;
  for (char c : text) count += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return count;
}

char32_t NextCodePoint(std::string_view text, size_t* at) {
  const auto byte = [&](size_t i) { return static_cast<char32_t>(static_cast<unsigned char>(text[*at + i])); };
  const char32_t lead = byte(0);
  const size_t length = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  char32_t point = length == 1 ? lead : lead & (0xFFu >> (length + 1));
  for (size_t i = 1; i < length; ++i) point = point << 6 | (byte(i) & 0x3F);
  *at += length;
  return point;
}

void AppendUtf8(char32_t point, std::string* out) {
  const auto continuation = [&](int shift) { out->push_back(static_cast<char>(0x80 | (point >> shift & 0x3F))); };
  if (point < 0x80) {
    out->push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out->push_back(static_cast<char>(0xC0 | point >> 6));
    continuation(0);
  } else if (point < 0x10000) {
    out->push_back(static_cast<char>(0xE0 | point >> 12));
    continuation(6);
    continuation(0);
  } else {
    out->push_back(static_cast<char>(0xF0 | point >> 18));
    continuation(12);
    continuation(6);
    continuation(0);
  }
}

}  // namespace quern
