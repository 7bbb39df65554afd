// Files: whole reads, read-only maps, and writes that are there whole or not at all.
//
// Every error says what was being done to which path and how to mend it. Codes: NotFound (no such file; the nearest
// name in its folder is suggested), PermissionDenied, InvalidArgument (not a regular file, for instance),
// ResourceExhausted (disk full, quota, size limit), Unavailable (other I/O). ExitStatus() in cli/ maps NotFound,
// PermissionDenied and InvalidArgument to "input refused" (3), the rest to 4.
#ifndef QUERN_BASE_FILE_H_
#define QUERN_BASE_FILE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quern {

// The status of a failed system call on `path`; `doing` is a verb in -ing form: FileError(errno, "writing", path).
absl::Status FileError(int error, std::string_view doing, const std::string& path);

// The whole file. InvalidArgument above `max_bytes`, and for a folder. Pipes and devices (/dev/stdin, /dev/null) are
// read to their end, up to 1 GiB.
absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t max_bytes = uint64_t{1} << 40);

// Hands the regular file at `path` to `piece`, in order, a megabyte at a time.
absl::Status ReadFilePieces(const std::string& path, const std::function<void(std::string_view)>& piece);

// A file, pipe or device, read in order in pieces of the caller's size.
class FileReader {
 public:
  static absl::StatusOr<FileReader> Open(const std::string& path);
  FileReader(FileReader&& other) noexcept : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}
  FileReader& operator=(FileReader&&) = delete;
  ~FileReader();

  // Up to `size` bytes into `out`; returns how many: fewer only at the end.
  absl::StatusOr<size_t> Read(char* out, size_t size);

 private:
  FileReader(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

// Writes `path` atomically: temporary name (`.NAME.tmp-PID-N`) in the same folder, write, fsync, rename, fsync of the
// folder. After an error `path` is what it was and no temporary file is left behind. Where `path` is a symbolic link,
// the file it points to is replaced. A pipe or device (/dev/stdout) cannot be replaced and is written straight through.
absl::Status WriteFileAtomic(const std::string& path, std::string_view bytes);

// The same in pieces, for files larger than memory should hold. A moved-from object may only be destroyed or assigned
// to.
class AtomicFile {
 public:
  static absl::StatusOr<AtomicFile> Create(const std::string& path);
  AtomicFile(AtomicFile&&) noexcept;
  AtomicFile& operator=(AtomicFile&&) noexcept;
  // Removes the temporary file unless Commit succeeded.
  ~AtomicFile();

  // Buffered. After the first error every later call returns it.
  absl::Status Append(std::string_view bytes);
  // Flushes, fsyncs and renames. Call once.
  absl::Status Commit();

 private:
  struct Impl;
  explicit AtomicFile(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A folder that appears whole or not at all: fill `staging()`, then Commit() fsyncs it and renames it to `path`.
// An existing `path` that is not an empty folder is InvalidArgument without `replace`; with it, the two are exchanged
// in one step where the file system can, else the old folder is moved aside first; then it is removed.
class AtomicFolder {
 public:
  static absl::StatusOr<AtomicFolder> Create(const std::string& path, bool replace = false);
  AtomicFolder(AtomicFolder&&) noexcept;
  AtomicFolder& operator=(AtomicFolder&&) noexcept;
  ~AtomicFolder();  // removes the staging folder unless Commit succeeded

  const std::string& staging() const;
  absl::Status Commit();

 private:
  struct Impl;
  explicit AtomicFolder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A read-only memory map of a regular file. Empty files map to an empty view. The bytes live as long as this object.
// A file that another process truncates while it is mapped raises SIGBUS on access; replacing it (as above) does not.
class MappedFile {
 public:
  static absl::StatusOr<std::shared_ptr<const MappedFile>> Open(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  MappedFile(std::string path, const char* data, size_t size) : path_(std::move(path)), data_(data), size_(size) {}
  std::string path_;
  const char* data_;
  size_t size_;
};

bool FileExists(const std::string& path);
bool IsFolder(const std::string& path);
absl::StatusOr<uint64_t> FileSize(const std::string& path);
// mkdir -p.
absl::Status MakeFolders(const std::string& path);
// rm -r; OK when nothing is there.
absl::Status RemoveAll(const std::string& path);
// fsync of a folder, so that renames within it survive a crash; OK where the file system cannot do that.
absl::Status SyncFolder(const std::string& path);
// Names (not paths) in `path`, sorted by byte value, without "." and "..".
absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path);
// "a/b" from ("a", "b"); an absolute `name` is returned as it is.
std::string JoinPath(std::string_view folder, std::string_view name);
std::string Dirname(std::string_view path);
std::string Basename(std::string_view path);
// Whether `name`, out of somebody else's file, names a file in the folder where it is looked for and nowhere else: not
// empty, "." or "..", and without "/" and NUL.
bool IsPlainName(std::string_view name);
// `path` as seen from `folder` ("../data/train.txt"): recorded paths are relative to the file that holds them. Symbolic
// links among the folders are resolved; the last name of `path` is kept as it is.
std::string RelativePath(const std::string& path, const std::string& folder);

}  // namespace quern

#endif  // QUERN_BASE_FILE_H_
