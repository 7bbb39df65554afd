// A test file as tokens, with the counts that its likelihood is divided by.
#ifndef QUERN_EVAL_EVAL_TEXT_H_
#define QUERN_EVAL_EVAL_TEXT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"

namespace quern {

struct EvalText {
  std::vector<int32_t> ids;
  int64_t words = 0;
  int64_t bytes = 0;
};

// A text file is one document, byte for byte; `bytes` is its size. Of JSON lines (a name in .jsonl or .ndjson) the
// "text" of each line is a document, encoded by itself and followed by the end-of-text token, or a line end where the
// tokenizer has none, as in training; `bytes` is the texts' sum and one more per document, so what JSON puts around
// them counts for nothing. InvalidArgument, naming `path` and the place: empty; a NUL byte; a malformed line; text that
// the tokenizer cannot encode.
absl::StatusOr<EvalText> EncodeEvalText(const Tokenizer& tokenizer, std::string_view bytes, const std::string& path);

// Maximal stretches of bytes that are not white space (Unicode's White_Space, and the separators 0x1C to 0x1F): what
// Python's str.split() counts.
int64_t CountWords(std::string_view text);

}  // namespace quern

#endif  // QUERN_EVAL_EVAL_TEXT_H_
