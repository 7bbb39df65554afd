// One line of JSON lines: an object with a string "text" and any other fields.
//
// Only the text is touched: every other byte of the line is kept, so that numbers beyond 64 bits, key order and
// spelling survive.
#ifndef QUERN_DATA_JSON_LINE_H_
#define QUERN_DATA_JSON_LINE_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quern {

struct JsonLine {
  std::string text;           // the value of "text", unescaped
  size_t begin = 0, end = 0;  // where its literal stands in the line, quotes included
};

// InvalidArgument, naming `what` ("corpus.jsonl line 12"), for what is no JSON object or has no string "text".
absl::StatusOr<JsonLine> ParseJsonLine(std::string_view line, std::string_view what);

// The same for each line of JSON lines that is not blank, in order. Stops at the first error, its own or `take`'s; its
// own name `what` ("corpus.jsonl", or "") and the line.
absl::Status ForEachJsonLine(std::string_view lines, std::string_view what,
                             const std::function<absl::Status(JsonLine parsed)>& take);

// `line` with another text (well-formed UTF-8), appended to `out`.
void AppendWithText(std::string_view line, const JsonLine& parsed, std::string_view text, std::string* out);

}  // namespace quern

#endif  // QUERN_DATA_JSON_LINE_H_
