// A file that grows by whole pieces.
#ifndef QUERN_TRAIN_APPEND_FILE_H_
#define QUERN_TRAIN_APPEND_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quern {

class AppendFile {
 public:
  // `path` is there. Errors of all methods are base/file.h's.
  static absl::StatusOr<AppendFile> Open(const std::string& path);
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&&) = delete;
  ~AppendFile();

  const std::string& path() const { return path_; }
  // The piece is there whole or, after an error, not at all.
  absl::Status Append(std::string_view piece);
  // To the disk.
  absl::Status Sync();

 private:
  AppendFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}

  std::string path_;
  int fd_;
};

}  // namespace quern

#endif  // QUERN_TRAIN_APPEND_FILE_H_
