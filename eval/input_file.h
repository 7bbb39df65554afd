// The files that an evaluation reads: their bytes, and their entries in the report.
#ifndef QUERN_EVAL_INPUT_FILE_H_
#define QUERN_EVAL_INPUT_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace quern {

struct InputFile {
  std::string bytes;
  Json entry;  // {path, sha256, bytes} of exactly these bytes; the path is relative to the report's folder
};
absl::StatusOr<InputFile> ReadInputFile(const std::string& path, const std::string& report_folder);

// The records of a file: its lines (the last may lack its line end; "\r\n" counts as one), or for a name in .jsonl the
// "text" of each line. An empty line is an empty record, but in .jsonl it is skipped. InvalidArgument names path and
// line; also for a file without records.
absl::StatusOr<std::vector<std::string>> RecordsOf(const InputFile& file, const std::string& path);

}  // namespace quern

#endif  // QUERN_EVAL_INPUT_FILE_H_
