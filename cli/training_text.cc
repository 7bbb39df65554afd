#include "cli/training_text.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "data/json_line.h"
#include "data/text_shape.h"

namespace quern::cli {

absl::StatusOr<std::string> ReadTrainingText(const std::string& path, std::string_view separator) {
  ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  if (bytes.empty()) return absl::InvalidArgumentError(path + ": empty; give text to train on");
  if (const size_t nul = bytes.find('\0'); nul != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": NUL byte at ", nul, "; this is binary data, not text"));
  }
  if (DetectFormat(path, std::string_view(bytes).substr(0, 1 << 20)) != TextFormat::kJsonl) return bytes;
  std::string text;
  size_t number = 0;
  for (std::string_view rest = bytes; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    ASSIGN_OR_RETURN(const JsonLine parsed, ParseJsonLine(line, absl::StrCat(path, " line ", number)));
    if (!text.empty()) text += separator;
    text += parsed.text;
  }
  if (text.empty()) return absl::InvalidArgumentError(path + ": its records hold no text");
  return text;
}

}  // namespace quern::cli
