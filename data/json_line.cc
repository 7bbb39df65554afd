#include "data/json_line.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status_macros.h"

namespace quern {
namespace {

constexpr char kSpaces[] = " \t\n\r";

// The functions below walk a line that ParseJson accepted, so every literal and bracket has its end.

size_t SkipSpaces(std::string_view line, size_t at) { return line.find_first_not_of(kSpaces, at); }

size_t SkipString(std::string_view line, size_t at) {
  for (++at; line[at] != '"'; ++at) at += line[at] == '\\';
  return at + 1;
}

size_t SkipValue(std::string_view line, size_t at) {
  for (int depth = 0;;) {
    const char c = line[at];
    if (c == '"') {
      at = SkipString(line, at);
    } else if (c == '{' || c == '[') {
      ++depth, ++at;
    } else if (depth > 0 && (c == '}' || c == ']')) {
      --depth, ++at;
    } else if (depth > 0) {
      ++at;
    } else {
      return line.find_first_of(",}", at);
    }
    if (depth == 0) return at;
  }
}

bool IsTextKey(std::string_view literal) {
  if (literal == "\"text\"") return true;
  if (literal.find('\\') == std::string_view::npos) return false;
  auto key = ParseJson(literal, "key");
  return key.ok() && *key == "text";
}

// How many fields are named "text"; the last one's value is noted.
int FindText(std::string_view line, JsonLine* out) {
  int found = 0;
  size_t at = SkipSpaces(line, line.find('{') + 1);  // a byte order mark may stand before it
  while (line[at] == '"') {
    const size_t key_end = SkipString(line, at);
    const size_t begin = SkipSpaces(line, SkipSpaces(line, key_end) + 1), end = SkipValue(line, begin);
    if (IsTextKey(line.substr(at, key_end - at))) ++found, out->begin = begin, out->end = end;
    at = SkipSpaces(line, SkipSpaces(line, end) + 1);
    if (at == std::string_view::npos) break;
  }
  return found;
}

}  // namespace

absl::StatusOr<JsonLine> ParseJsonLine(std::string_view line, std::string_view what) {
  // Repeated names in other fields are that field's business; they are kept as they are.
  ASSIGN_OR_RETURN(Json object, ParseJson(line, what, /*max_depth=*/100, DuplicateKeys::kKeepLast));
  auto refuse = [&](const std::string& why) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(what), ": expected {\"text\": \"...\"} and any other fields, found ", why));
  };
  if (!object.is_object()) return refuse(absl::StrCat("a JSON ", object.type_name()));
  auto text = object.find("text");
  if (text == object.end()) {
    std::vector<std::string> names;
    for (const auto& item : object.items()) names.push_back(WriteJsonLine(item.key()));
    return refuse(names.empty() ? "an object without fields"
                                : absl::StrCat("the fields ", absl::StrJoin(names, ", ").substr(0, 200)));
  }
  if (!text->is_string()) return refuse(absl::StrCat("a \"text\" that is a JSON ", text->type_name()));
  JsonLine parsed;
  parsed.text = std::move(text->get_ref<std::string&>());
  if (FindText(line, &parsed) != 1) return refuse("several fields named \"text\"");
  return parsed;
}

absl::Status ForEachJsonLine(std::string_view lines, std::string_view what,
                             const std::function<absl::Status(JsonLine parsed)>& take) {
  for (int64_t number = 1; !lines.empty(); ++number) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    lines.remove_prefix(std::min(lines.size(), line.size() + 1));
    if (line.find_first_not_of(kSpaces) == std::string_view::npos) continue;
    const std::string place = absl::StrCat(std::string(what), what.empty() ? "" : " ", "line ", number);
    ASSIGN_OR_RETURN(JsonLine parsed, ParseJsonLine(line, place));
    RETURN_IF_ERROR(take(std::move(parsed)));
  }
  return absl::OkStatus();
}

void AppendWithText(std::string_view line, const JsonLine& parsed, std::string_view text, std::string* out) {
  out->append(line.substr(0, parsed.begin));
  out->append(WriteJsonLine(Json(text)));
  out->append(line.substr(parsed.end));
}

}  // namespace quern
