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
  const bool is_jsonl = DetectFormat(path, "") == TextFormat::kJsonl;
  std::vector<std::string> records;
  const std::string_view text = file.bytes;
  for (size_t begin = 0, number = 1; begin < text.size(); ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!is_jsonl) {
      records.emplace_back(line);
    } else if (line.find_first_not_of(" \t") != std::string_view::npos) {
      ASSIGN_OR_RETURN(JsonLine parsed, ParseJsonLine(line, absl::StrCat(path, " line ", number)));
      records.push_back(std::move(parsed.text));
    }
  }
  if (records.empty())
    return absl::InvalidArgumentError(absl::StrCat(path, ": it is empty; there is nothing to score"));
  return records;
}

}  // namespace quern
