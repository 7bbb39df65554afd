// The files that an --input_file names.
#ifndef QUERN_DATA_INPUT_FILES_H_
#define QUERN_DATA_INPUT_FILES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quern {

// A file: itself. A folder: every file below it, in the byte order of its path, but for names that start with "." and
// links to folders. Anything else with *, ? or [ in it: the files that match (glob(7)), in byte order.
// NotFound for nothing, InvalidArgument for a folder or a match without files, and for what is not a regular file.
absl::StatusOr<std::vector<std::string>> FindInputFiles(const std::string& input);

// What tells whether a file changed: taken before reading it and compared after.
struct FileStamp {
  uint64_t device = 0, inode = 0, bytes = 0;
  int64_t modified_ns = 0;
  friend bool operator==(const FileStamp& a, const FileStamp& b) {
    return a.device == b.device && a.inode == b.inode && a.bytes == b.bytes && a.modified_ns == b.modified_ns;
  }
  bool IsSameFile(const FileStamp& other) const { return device == other.device && inode == other.inode; }
};
absl::StatusOr<FileStamp> StampFile(const std::string& path);

}  // namespace quern

#endif  // QUERN_DATA_INPUT_FILES_H_
