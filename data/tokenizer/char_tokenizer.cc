#include "data/tokenizer/char_tokenizer.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/utf8.h"
#include "data/tokenizer/char_class.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {

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
    if (!used[c]) continue;
    std::string text;
    AppendUtf8(static_cast<char32_t>(c), &text);
    parts.tokens.Set(parts.tokens.size(), text);
  }
  return Tokenizer::FromParts(std::move(parts));
}

}  // namespace quern
