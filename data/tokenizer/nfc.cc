#include "data/tokenizer/nfc.h"

#include <algorithm>

#include "base/log.h"
#include "data/tokenizer/char_class.h"
#include "data/tokenizer/split_pattern.h"
#include "unicode/bytestream.h"
#include "unicode/normalizer2.h"
#include "unicode/stringpiece.h"

namespace quern {
namespace {

// Bytes of well-formed UTF-8 at the start of `text`.
size_t ValidPrefix(std::string_view text) {
  const char* end = text.data() + text.size();
  const char* p = text.data();
  while (p < end) {
    const CodePoint point = ReadCodePoint(p, end);
    if (point.value < 0) break;
    p += point.size;
  }
  return p - text.data();
}

void Append(const icu::Normalizer2& nfc, std::string_view valid, std::string* out) {
  UErrorCode error = U_ZERO_ERROR;
  icu::StringByteSink<std::string> sink(out);
  nfc.normalizeUTF8(0, icu::StringPiece(valid.data(), static_cast<int32_t>(valid.size())), sink, nullptr, error);
  CHECK(U_SUCCESS(error)) << "ICU normalizeUTF8: " << u_errorName(error);
}

}  // namespace

std::optional<std::string> NormalizeNfc(std::string_view text) {
  if (std::all_of(text.begin(), text.end(), [](char c) { return static_cast<signed char>(c) >= 0; })) {
    return std::nullopt;
  }
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  CHECK(U_SUCCESS(error)) << "ICU getNFCInstance: " << u_errorName(error);
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  // ICU counts in 31 bits. A space after a letter is a boundary in any pattern and in NFC.
  constexpr size_t kPart = size_t{1} << 24;
  for (std::string_view part : SafeParts(text, SplitPattern::kGpt2, kPart)) {
    while (!part.empty()) {
      const size_t valid = std::min(ValidPrefix(part), size_t{INT32_MAX});
      Append(*nfc, part.substr(0, valid), &out);
      part.remove_prefix(valid);
      if (part.empty()) break;
      out += part[0];
      part.remove_prefix(1);
    }
  }
  if (out == text) return std::nullopt;
  return out;
}

}  // namespace quern
