#include "cli/training_text.h"

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
  RETURN_IF_ERROR(ForEachJsonLine(bytes, path, [&](JsonLine record) {
    if (!text.empty()) text += separator;
    text += record.text;
    return absl::OkStatus();
  }));
  if (text.empty()) return absl::InvalidArgumentError(path + ": its records hold no text");
  return text;
}

}  // namespace quern::cli
