#include "eval/input_file.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "data/json_line.h"
#include "data/text_shape.h"

namespace quern {

absl::StatusOr<InputFile> ReadInputFile(const std::string& path, const std::string& report_folder) {
  InputFile file;
  ASSIGN_OR_RETURN(file.bytes, ReadFile(path));
  file.entry = {
      {"path", RelativePath(path, report_folder)}, {"sha256", Sha256(file.bytes)}, {"bytes", file.bytes.size()}};
  return file;
}

absl::StatusOr<std::vector<std::string>> RecordsOf(const InputFile& file, const std::string& path) {
  std::vector<std::string> records;
  if (DetectFormat(path, "") == TextFormat::kJsonl) {
    RETURN_IF_ERROR(ForEachJsonLine(file.bytes, path, [&records](JsonLine line) {
      records.push_back(std::move(line.text));
      return absl::OkStatus();
    }));
  } else {
    for (std::string_view text = file.bytes; !text.empty();) {
      std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      if (line.ends_with('\r')) line.remove_suffix(1);
      records.emplace_back(line);
    }
  }
  if (records.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": it is empty; there is nothing to score"));
  return records;
}

}  // namespace quern
