#include "eval/eval_text.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/utf8.h"
#include "data/json_line.h"
#include "data/text_shape.h"

namespace quern {
namespace {

bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

absl::Status AddDocument(const Tokenizer& tokenizer, std::string_view document, EvalText& text) {
  text.bytes += static_cast<int64_t>(document.size());
  text.words += CountWords(document);
  return tokenizer.EncodePieces(document, {}, [&](std::span<const int32_t> ids) {
    text.ids.insert(text.ids.end(), ids.begin(), ids.end());
    return absl::OkStatus();
  });
}

absl::Status AddJsonLines(const Tokenizer& tokenizer, std::string_view bytes, EvalText& text) {
  std::vector<int32_t> end_of_document;
  if (tokenizer.eos_id().has_value()) {
    end_of_document.push_back(*tokenizer.eos_id());
  } else {
    ASSIGN_OR_RETURN(end_of_document, tokenizer.Encode("\n"));
  }
  return ForEachJsonLine(bytes, "", [&](JsonLine document) -> absl::Status {
    RETURN_IF_ERROR(AddDocument(tokenizer, document.text, text));
    text.ids.insert(text.ids.end(), end_of_document.begin(), end_of_document.end());
    ++text.bytes;
    return absl::OkStatus();
  });
}

absl::Status AddAll(const Tokenizer& tokenizer, std::string_view bytes, const std::string& path, EvalText& text) {
  if (bytes.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    return absl::InvalidArgumentError("it is empty; there is nothing to evaluate");
  }
  if (const size_t nul = bytes.find('\0'); nul != std::string_view::npos) {
    return absl::InvalidArgumentError(absl::StrCat("not a text: a NUL byte at offset ", nul));
  }
  const bool json_lines = DetectFormat(path, "") == TextFormat::kJsonl;
  return json_lines ? AddJsonLines(tokenizer, bytes, text) : AddDocument(tokenizer, bytes, text);
}

}  // namespace

absl::StatusOr<EvalText> EncodeEvalText(const Tokenizer& tokenizer, std::string_view bytes, const std::string& path) {
  EvalText text;
  absl::Status status = AddAll(tokenizer, bytes, path, text);
  if (status.ok() && text.ids.empty()) status = absl::InvalidArgumentError("it has no tokens");
  if (!status.ok()) return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
  return text;
}

int64_t CountWords(std::string_view text) {
  int64_t words = 0;
  bool in_word = false;
  while (!text.empty()) {
    const size_t valid = ValidUtf8Prefix(text);
    for (size_t at = 0; at < valid;) {
      const bool space = IsSpace(NextCodePoint(text, &at));
      if (!space && !in_word) ++words;
      in_word = !space;
    }
    // A byte that is no UTF-8 is part of a word.
    if (valid < text.size() && !in_word) ++words, in_word = true;
    text.remove_prefix(std::min(valid + 1, text.size()));
  }
  return words;
}

}  // namespace quern
