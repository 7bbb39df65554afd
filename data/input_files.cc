#include "data/input_files.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

bool IsHidden(const fs::path& path) { return path.filename().native().rfind('.', 0) == 0; }

absl::StatusOr<std::vector<std::string>> FilesBelow(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code error;
  fs::recursive_directory_iterator it(folder, error), end;
  for (; !error && it != end; it.increment(error)) {
    if (IsHidden(it->path())) {
      it.disable_recursion_pending();
    } else if (it->is_regular_file(error)) {
      files.push_back(it->path().string());
    } else if (error) {
      break;
    }
  }
  if (error) return FileError(error.value(), "listing", folder);
  if (files.empty()) return absl::InvalidArgumentError(absl::StrCat(folder, ": the folder holds no files to read"));
  std::sort(files.begin(), files.end());
  return files;
}

absl::StatusOr<std::vector<std::string>> FilesMatching(const std::string& pattern) {
  glob_t found = {};
  const int rc = glob(pattern.c_str(), GLOB_ERR, nullptr, &found);
  std::vector<std::string> files;
  for (size_t i = 0; rc == 0 && i < found.gl_pathc; ++i) {
    if (!IsFolder(found.gl_pathv[i])) files.emplace_back(found.gl_pathv[i]);
  }
  const int glob_errno = errno;
  globfree(&found);
  if (rc == GLOB_NOMATCH) return absl::NotFoundError(absl::StrCat(pattern, ": no file matches; check the pattern"));
  if (rc != 0) return FileError(glob_errno != 0 ? glob_errno : EIO, "listing", pattern);
  if (files.empty()) return absl::InvalidArgumentError(absl::StrCat(pattern, ": it matches folders only"));
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

absl::StatusOr<std::vector<std::string>> FindInputFiles(const std::string& input) {
  std::vector<std::string> files = {input};
  if (IsFolder(input)) {
    ASSIGN_OR_RETURN(files, FilesBelow(input));
  } else if (!FileExists(input) && input.find_first_of("*?[") != std::string::npos) {
    ASSIGN_OR_RETURN(files, FilesMatching(input));
  }
  for (const std::string& file : files) RETURN_IF_ERROR(StampFile(file).status());
  return files;
}

absl::StatusOr<FileStamp> StampFile(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return FileError(errno, "opening", path);
  if (!S_ISREG(info.st_mode)) {
    return absl::InvalidArgumentError(
        absl::StrCat("reading ", path, ": it is not a regular file (it is read twice); copy it to one"));
  }
  return FileStamp{static_cast<uint64_t>(info.st_dev), static_cast<uint64_t>(info.st_ino),
                   static_cast<uint64_t>(info.st_size),
                   int64_t{info.st_mtim.tv_sec} * 1000000000 + info.st_mtim.tv_nsec};
}

}  // namespace quern
