#include "train/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"

namespace quern {

absl::StatusOr<AppendFile> AppendFile::Open(const std::string& path) {
  int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return FileError(errno, "opening", path);
  return AppendFile(path, fd);
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

AppendFile::~AppendFile() {
  if (fd_ >= 0) close(fd_);
}

absl::Status AppendFile::Append(std::string_view piece) {
  const off_t end = lseek(fd_, 0, SEEK_END);
  for (size_t done = 0; done < piece.size();) {
    ssize_t wrote = write(fd_, piece.data() + done, piece.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      absl::Status status = FileError(errno, "writing", path_);
      if (ftruncate(fd_, end) != 0) return FileError(errno, "shortening", path_);
      return status;
    }
    done += static_cast<size_t>(wrote);
  }
  return absl::OkStatus();
}

absl::Status AppendFile::Sync() { return fsync(fd_) == 0 ? absl::OkStatus() : FileError(errno, "writing", path_); }

}  // namespace quern
