// The writing half of base/file.h.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace quern {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;

// `.NAME.tmp-PID-N` beside `path`.
std::string TemporaryName(const std::string& path) {
  static std::atomic<uint64_t> counter{0};
  return JoinPath(Dirname(path), absl::StrCat(".", Basename(path), ".tmp-", getpid(), "-", counter.fetch_add(1)));
}

absl::Status SyncFile(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return FileError(errno, "syncing", path);
  int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  if (error != 0 && error != EINVAL) return FileError(error, "writing", path);
  return absl::OkStatus();
}

absl::Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    ssize_t wrote = write(fd, bytes.data(), bytes.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return FileError(errno, "writing", path);
    bytes.remove_prefix(static_cast<size_t>(wrote));
  }
  return absl::OkStatus();
}

// Where a write to `path` goes: through symbolic links to the file they end at.
std::string ResolveLinks(const std::string& path) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0 || !S_ISLNK(info.st_mode)) return path;
  char resolved[PATH_MAX];
  return realpath(path.c_str(), resolved) != nullptr ? std::string(resolved) : path;
}

}  // namespace

absl::Status SyncFolder(const std::string& path) {
  int fd = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return FileError(errno, "syncing folder", path);
  int error = fsync(fd) == 0 ? 0 : errno;
  close(fd);
  // Some file systems cannot sync a folder.
  if (error != 0 && error != EINVAL && error != ENOTSUP) return FileError(error, "syncing folder", path);
  return absl::OkStatus();
}

struct AtomicFile::Impl {
  std::string path;       // as the caller named it, for messages
  std::string target;     // what the rename replaces
  std::string temporary;  // empty once renamed, and for pipes and devices
  int fd = -1;
  std::string buffer;
  absl::Status status;

  ~Impl() {
    if (fd >= 0) close(fd);
    if (!temporary.empty()) unlink(temporary.c_str());
  }
  absl::Status Flush() {
    if (status.ok()) status = WriteAll(fd, buffer, path);
    buffer.clear();
    return status;
  }
  absl::Status CloseAndRename();
};

AtomicFile::AtomicFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AtomicFile::AtomicFile(AtomicFile&&) noexcept = default;
AtomicFile& AtomicFile::operator=(AtomicFile&&) noexcept = default;
AtomicFile::~AtomicFile() = default;

absl::StatusOr<AtomicFile> AtomicFile::Create(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  struct stat info;
  const bool exists = stat(path.c_str(), &info) == 0;
  if (exists && S_ISDIR(info.st_mode)) return FileError(EISDIR, "writing", path);
  if (exists && !S_ISREG(info.st_mode)) {
    impl->fd = open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (impl->fd < 0) return FileError(errno, "opening", path);
    return AtomicFile(std::move(impl));
  }
  impl->target = ResolveLinks(path);
  std::string temporary = TemporaryName(impl->target);
  impl->fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (impl->fd < 0) return FileError(errno, "writing", path);
  impl->temporary = std::move(temporary);
  if (exists) fchmod(impl->fd, info.st_mode & 07777);
  return AtomicFile(std::move(impl));
}

absl::Status AtomicFile::Append(std::string_view bytes) {
  if (!impl_->status.ok()) return impl_->status;
  if (impl_->buffer.size() + bytes.size() < kBufferBytes) {
    impl_->buffer.append(bytes);
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(impl_->Flush());
  return impl_->status = WriteAll(impl_->fd, bytes, impl_->path);
}

absl::Status AtomicFile::Impl::CloseAndRename() {
  if (temporary.empty()) {
    int error = close(std::exchange(fd, -1)) == 0 ? 0 : errno;
    return error == 0 ? absl::OkStatus() : FileError(error, "writing", path);
  }
  if (fsync(fd) != 0) return FileError(errno, "writing", path);
  if (close(std::exchange(fd, -1)) != 0) return FileError(errno, "writing", path);
  if (rename(temporary.c_str(), target.c_str()) != 0) return FileError(errno, "writing", path);
  temporary.clear();
  return SyncFolder(Dirname(target));
}

absl::Status AtomicFile::Commit() {
  if (impl_->fd < 0) {
    return impl_->status.ok()
               ? absl::FailedPreconditionError(absl::StrCat("writing ", impl_->path, ": committed twice"))
               : impl_->status;
  }
  absl::Status status = impl_->Flush();
  if (status.ok()) status = impl_->status = impl_->CloseAndRename();
  if (!status.ok() && !impl_->temporary.empty()) {
    unlink(impl_->temporary.c_str());
    impl_->temporary.clear();
  }
  return status;
}

absl::Status WriteFileAtomic(const std::string& path, std::string_view bytes) {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  RETURN_IF_ERROR(file.Append(bytes));
  return file.Commit();
}

struct AtomicFolder::Impl {
  std::string path;
  std::string staging;
  bool replace = false;
  bool committed = false;

  ~Impl() {
    if (!committed && !staging.empty()) RemoveAll(staging).IgnoreError();
  }
  absl::Status SyncStaging() const;
  absl::Status Publish();
};

AtomicFolder::AtomicFolder(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AtomicFolder::AtomicFolder(AtomicFolder&&) noexcept = default;
AtomicFolder& AtomicFolder::operator=(AtomicFolder&&) noexcept = default;
AtomicFolder::~AtomicFolder() = default;

const std::string& AtomicFolder::staging() const { return impl_->staging; }

absl::StatusOr<AtomicFolder> AtomicFolder::Create(const std::string& path, bool replace) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  while (impl->path.size() > 1 && impl->path.back() == '/') impl->path.pop_back();
  impl->path = ResolveLinks(impl->path);
  impl->replace = replace;
  if (FileExists(path) && !IsFolder(path)) return FileError(ENOTDIR, "writing folder", path);
  if (!replace && IsFolder(path)) {
    ASSIGN_OR_RETURN(std::vector<std::string> names, ListFolder(path));
    if (!names.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("writing folder ", path, ": it exists and is not empty; choose another or remove it"));
    }
  }
  std::string staging = TemporaryName(impl->path);
  if (mkdir(staging.c_str(), 0777) != 0) return FileError(errno, "writing folder", path);
  impl->staging = std::move(staging);
  return AtomicFolder(std::move(impl));
}

absl::Status AtomicFolder::Impl::SyncStaging() const {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::recursive_directory_iterator it(staging, error), end; !error && it != end; it.increment(error)) {
    fs::file_status kind = it->symlink_status(error);
    if (error) break;
    if (fs::is_regular_file(kind)) RETURN_IF_ERROR(SyncFile(it->path().string()));
    if (fs::is_directory(kind)) RETURN_IF_ERROR(SyncFolder(it->path().string()));
  }
  if (error) return FileError(error.value(), "syncing folder", staging);
  return SyncFolder(staging);
}

absl::Status AtomicFolder::Impl::Publish() {
  // rename(2) takes the place of an empty folder by itself.
  if (rename(staging.c_str(), path.c_str()) == 0) return absl::OkStatus();
  if ((errno != ENOTEMPTY && errno != EEXIST) || !replace) return FileError(errno, "writing folder", path);
  if (renameat2(AT_FDCWD, staging.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return RemoveAll(staging);
  if (errno != EINVAL && errno != ENOSYS) return FileError(errno, "writing folder", path);
  const std::string aside = TemporaryName(path);
  if (rename(path.c_str(), aside.c_str()) != 0) return FileError(errno, "moving aside folder", path);
  if (rename(staging.c_str(), path.c_str()) != 0) {
    int error = errno;
    rename(aside.c_str(), path.c_str());
    return FileError(error, "writing folder", path);
  }
  return RemoveAll(aside);
}

absl::Status AtomicFolder::Commit() {
  RETURN_IF_ERROR(impl_->SyncStaging());
  RETURN_IF_ERROR(impl_->Publish());
  impl_->committed = true;
  return SyncFolder(Dirname(impl_->path));
}

}  // namespace quern
