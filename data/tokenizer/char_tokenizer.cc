#include "data/tokenizer/char_tokenizer.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/tokenizer/char_class.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {
namespace {

std::string Utf8(int32_t c) {
  std::string text;
  const auto tail = [&](int shift) { text += static_cast<char>(0x80 | ((c >> shift) & 0x3F)); };
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xC0 | c >> 6);
    tail(0);
  } else if (c < 0x10000) {
    text += static_cast<char>(0xE0 | c >> 12);
    tail(6);
    tail(0);
  } else {
    text += static_cast<char>(0xF0 | c >> 18);
    tail(12);
    tail(6);
    tail(0);
  }
  return text;
}

}  // namespace

absl::StatusOr<Tokenizer> TrainChar(std::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("the training text is empty");
  std::vector<bool> used(0x110000, false);
  const char* end = text.data() + text.size();
  for (const char* p = text.data(); p < end;) {
    const CodePoint point = ReadCodePoint(p, end);
    if (point.value < 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the training text is not UTF-8 at byte ", p - text.data(),
                       ", and a `char` tokenizer has symbols by code point. Use --type bpe or byte, which encode any "
                       "bytes, or clean the text with `quern prepare`."));
    }
    used[point.value] = true;
    p += point.size;
  }
  TokenizerParts parts;
  parts.kind = TokenizerKind::kChar;
  for (int32_t c = 0; c < 0x110000; ++c) {
    if (used[c]) parts.tokens.Set(parts.tokens.size(), Utf8(c));
  }
  return Tokenizer::FromParts(std::move(parts));
}

}  // namespace quern
