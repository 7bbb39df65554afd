#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace quern {
namespace {

constexpr uint64_t kMaxPipeBytes = uint64_t{1} << 30;
constexpr size_t kPieceBytes = size_t{1} << 20;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

struct OpenedFile {
  Descriptor fd;
  struct stat info;
};

absl::StatusOr<OpenedFile> OpenForReading(const std::string& path) {
  OpenedFile file{Descriptor(open(path.c_str(), O_RDONLY | O_CLOEXEC)), {}};
  if (file.fd.get() < 0) return FileError(errno, "opening", path);
  if (fstat(file.fd.get(), &file.info) != 0) return FileError(errno, "opening", path);
  if (S_ISDIR(file.info.st_mode)) return FileError(EISDIR, "reading", path);
  return file;
}

// Reads up to `size` bytes; fewer only at the end of the file.
absl::StatusOr<size_t> ReadUpTo(int fd, char* out, size_t size, const std::string& path) {
  size_t total = 0;
  while (total < size) {
    ssize_t got = read(fd, out + total, size - total);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FileError(errno, "reading", path);
    if (got == 0) break;
    total += static_cast<size_t>(got);
  }
  return total;
}

absl::Status NotRegular(const std::string& path) {
  return absl::InvalidArgumentError(absl::StrCat("reading ", path, ": it is not a regular file; copy it to one"));
}

// The nearest name in the same folder, for a path that does not exist.
std::string SuggestSibling(const std::string& path) {
  auto names = ListFolder(Dirname(path));
  constexpr size_t kMostNames = 2000;
  if (!names.ok() || names->size() > kMostNames) return "";
  return DidYouMean(Basename(path), *names);
}

}  // namespace

absl::Status FileError(int error, std::string_view doing, const std::string& path) {
  const std::string what = absl::StrCat(std::string(doing), " ", path, ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      if (!FileExists(Dirname(path))) {
        return absl::NotFoundError(absl::StrCat(what, "; the folder ", Dirname(path), " does not exist"));
      }
      return absl::NotFoundError(absl::StrCat(what, "; check the path.", SuggestSibling(path)));
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(absl::StrCat(what, "; check the owner and mode with ls -l"));
    case ENOSPC:
    case EDQUOT:
      return absl::ResourceExhaustedError(
          absl::StrCat("disk full while ", what, "; free space or choose another folder"));
    case EFBIG:
      return absl::ResourceExhaustedError(
          absl::StrCat("file size limit reached while ", what, "; raise it (ulimit -f) or choose another folder"));
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(absl::StrCat(what, "; raise the limit (ulimit -n)"));
    case EISDIR:
      return absl::InvalidArgumentError(absl::StrCat(what, "; name a file, not a folder"));
    case ENOTDIR:
    case EEXIST:
    case ENOTEMPTY:
    case ELOOP:
    case EINVAL:
    case ENAMETOOLONG:
      return absl::InvalidArgumentError(absl::StrCat(what, "; choose another path"));
    case EROFS:
      return absl::UnavailableError(absl::StrCat(what, "; choose a folder that can be written"));
    default:
      return absl::UnavailableError(absl::StrCat(what, "; check the disk or the network mount"));
  }
}

absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t max_bytes) {
  ASSIGN_OR_RETURN(OpenedFile file, OpenForReading(path));
  const bool regular = S_ISREG(file.info.st_mode);
  if (!regular) max_bytes = std::min(max_bytes, kMaxPipeBytes);
  auto too_large = [&] {
    return absl::InvalidArgumentError(
        absl::StrCat("reading ", path, ": it is larger than ", max_bytes, " bytes, the most that is accepted here"));
  };
  if (regular && static_cast<uint64_t>(file.info.st_size) > max_bytes) return too_large();
  // The size is a hint: files under /proc report 0, and a file may grow while it is read.
  std::string bytes(regular ? static_cast<size_t>(file.info.st_size) : 0, '\0');
  ASSIGN_OR_RETURN(size_t total, ReadUpTo(file.fd.get(), bytes.data(), bytes.size(), path));
  bytes.resize(total);
  while (true) {
    bytes.resize(total + std::min<uint64_t>(kPieceBytes, max_bytes - total + 1));
    ASSIGN_OR_RETURN(size_t more, ReadUpTo(file.fd.get(), bytes.data() + total, bytes.size() - total, path));
    total += more;
    bytes.resize(total);
    if (total > max_bytes) return too_large();
    if (more == 0) return bytes;
  }
}

absl::Status ReadFilePieces(const std::string& path, const std::function<void(std::string_view)>& piece) {
  struct stat info;
  // Before opening: a pipe without a writer would hang there.
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return NotRegular(path);
  ASSIGN_OR_RETURN(OpenedFile file, OpenForReading(path));
  if (!S_ISREG(file.info.st_mode)) return NotRegular(path);
  std::string buffer(std::clamp<size_t>(static_cast<size_t>(file.info.st_size) + 1, 4096, kPieceBytes), '\0');
  while (true) {
    ASSIGN_OR_RETURN(size_t got, ReadUpTo(file.fd.get(), buffer.data(), buffer.size(), path));
    if (got == 0) return absl::OkStatus();
    piece(std::string_view(buffer.data(), got));
  }
}

absl::StatusOr<FileReader> FileReader::Open(const std::string& path) {
  ASSIGN_OR_RETURN(OpenedFile file, OpenForReading(path));
  return FileReader(path, file.fd.Release());
}

FileReader::~FileReader() {
  if (fd_ >= 0) close(fd_);
}

absl::StatusOr<size_t> FileReader::Read(char* out, size_t size) { return ReadUpTo(fd_, out, size, path_); }

absl::StatusOr<std::shared_ptr<const MappedFile>> MappedFile::Open(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode)) return NotRegular(path);
  ASSIGN_OR_RETURN(OpenedFile file, OpenForReading(path));
  if (!S_ISREG(file.info.st_mode)) return NotRegular(path);
  const size_t size = static_cast<size_t>(file.info.st_size);
  if (size == 0) return std::shared_ptr<const MappedFile>(new MappedFile(path, nullptr, 0));
  void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd.get(), 0);
  if (data == MAP_FAILED) return FileError(errno, "mapping", path);
  return std::shared_ptr<const MappedFile>(new MappedFile(path, static_cast<const char*>(data), size));
}

MappedFile::~MappedFile() {
  if (size_ > 0) munmap(const_cast<char*>(data_), size_);
}

bool FileExists(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0;
}

bool IsFolder(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

absl::StatusOr<uint64_t> FileSize(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return FileError(errno, "opening", path);
  if (!S_ISREG(info.st_mode)) return NotRegular(path);
  return static_cast<uint64_t>(info.st_size);
}

absl::Status MakeFolders(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return FileError(error.value(), "making folder", path);
  if (!IsFolder(path)) return FileError(ENOTDIR, "making folder", path);
  return absl::OkStatus();
}

absl::Status RemoveAll(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return FileError(error.value(), "removing", path);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::string>> ListFolder(const std::string& path) {
  std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path.c_str()), closedir);
  if (folder == nullptr) return FileError(errno, "listing", path);
  std::vector<std::string> names;
  errno = 0;
  while (const dirent* entry = readdir(folder.get())) {
    std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return FileError(errno, "listing", path);
  std::sort(names.begin(), names.end());
  return names;
}

std::string JoinPath(std::string_view folder, std::string_view name) {
  if (folder.empty() || (!name.empty() && name.front() == '/')) return std::string(name);
  std::string path(folder);
  if (path.back() != '/') path += '/';
  return path.append(name);
}

std::string Dirname(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  while (slash > 0 && path[slash - 1] == '/') --slash;
  return slash == 0 ? "/" : std::string(path.substr(0, slash));
}

std::string Basename(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  size_t slash = path.rfind('/');
  return std::string(slash == std::string_view::npos || path.size() == 1 ? path : path.substr(slash + 1));
}

bool IsPlainName(std::string_view name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string_view::npos &&
         name.find('\0') == std::string_view::npos;
}

std::string RelativePath(const std::string& path, const std::string& folder) {
  namespace fs = std::filesystem;
  auto canonical = [](const std::string& p) {
    std::error_code error;
    fs::path absolute = fs::absolute(p.empty() ? "." : p, error);
    fs::path real = fs::weakly_canonical(absolute, error);
    return error ? absolute.lexically_normal() : real;
  };
  const std::string name = Basename(path);
  const bool is_file = name != "." && name != ".." && name != "/" && !name.empty();
  // Only the folders are resolved: a build system may present each input file as a link to a place of its own.
  fs::path target = is_file ? canonical(Dirname(path)) / name : canonical(path);
  return target.lexically_relative(canonical(folder)).string();
}

}  // namespace quern
