// One line of JSON lines: an object with a string "text" and any other fields.
//
// Only the text is touched: every other byte of the line is kept, so that numbers beyond 64 bits, key order and
// spelling survive.
#ifndef QUERN_DATA_JSON_LINE_H_
#define QUERN_DATA_JSON_LINE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quern {

struct JsonLine {
  std::string text;           // the value of "text", unescaped
  size_t begin = 0, end = 0;  // where its literal stands in the line, quotes included
};

// InvalidArgument, naming `what` ("corpus.jsonl line 12"), for what is no JSON object or has no string "text".
absl::StatusOr<JsonLine> ParseJsonLine(std::string_view line, std::string_view what);

// `line` with another text (well-formed UTF-8), appended to `out`.
void AppendWithText(std::string_view line, const JsonLine& parsed, std::string_view text, std::string* out);

}  // namespace quern

#endif  // QUERN_DATA_JSON_LINE_H_
