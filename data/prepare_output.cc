#include "data/prepare_output.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/lineage.h"
#include "base/status_macros.h"
#include "data/input_files.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

constexpr const char* kEveryOutput[] = {"train.txt",   "validation.txt",   "test.txt",   "smoke.txt",
                                        "train.jsonl", "validation.jsonl", "test.jsonl", "smoke.jsonl"};

absl::StatusOr<std::string> RealPath(const std::string& path) {
  std::error_code error;
  std::string real = fs::weakly_canonical(fs::absolute(path, error), error).string();
  if (error) return FileError(error.value(), "resolving", path);
  while (real.size() > 1 && real.back() == '/') real.pop_back();
  return real;
}

absl::Status CheckNotWithinInput(const std::string& folder, const std::string& input) {
  if (!IsFolder(input)) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::string real, RealPath(input));
  if (folder != real && folder.rfind(real == "/" ? real : real + "/", 0) != 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--output_dir ", folder, " lies in the input folder ", input,
                                                 ", and would be read the next time; choose a folder outside it"));
}

// Whether `name` may be written in `folder`.
absl::Status CheckReplaceable(const std::string& folder, const std::string& name, bool former_prepare,
                              const std::vector<std::string>& input_files) {
  const std::string path = JoinPath(folder, name);
  if (!FileExists(path)) return absl::OkStatus();
  if (IsFolder(path)) return FileError(EISDIR, "writing", path);
  ASSIGN_OR_RETURN(FileStamp existing, StampFile(path));
  for (const std::string& input : input_files) {
    ASSIGN_OR_RETURN(FileStamp stamp, StampFile(input));
    if (!stamp.IsSameFile(existing)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("writing ", path, " would replace the input ", input, "; choose another --output_dir"));
  }
  if (former_prepare) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      path, " exists, and the folder has no metadata.json by quern prepare; choose another --output_dir, or move it"));
}

}  // namespace

absl::StatusOr<PrepareOutput> PrepareOutput::Create(const std::string& folder, const std::vector<std::string>& names,
                                                    const std::string& input,
                                                    const std::vector<std::string>& input_files) {
  ASSIGN_OR_RETURN(std::string real, RealPath(folder));
  if (FileExists(real) && !IsFolder(real)) return FileError(ENOTDIR, "writing folder", folder);
  RETURN_IF_ERROR(CheckNotWithinInput(real, input));
  const bool former_prepare = ReadArtefact(JoinPath(real, kMetadataFile), "data").ok();
  std::vector<std::string> all = names;
  all.push_back(kMetadataFile);
  for (const std::string& name : all) RETURN_IF_ERROR(CheckReplaceable(real, name, former_prepare, input_files));
  const bool is_new = !FileExists(real);
  if (is_new) RETURN_IF_ERROR(MakeFolders(Dirname(real)));
  ASSIGN_OR_RETURN(AtomicFolder staging, AtomicFolder::Create(is_new ? real : JoinPath(real, ".quern-prepare")));
  PrepareOutput output(std::move(staging));
  output.folder_ = std::move(real);
  output.names_ = names;
  output.is_new_ = is_new;
  return output;
}

std::string PrepareOutput::PathOf(const std::string& name) const { return JoinPath(staging_.staging(), name); }

absl::Status PrepareOutput::Publish(const Json& metadata) {
  // Whatever can fail for want of space comes before the first file is replaced.
  RETURN_IF_ERROR(WriteSealedArtefact(PathOf(kMetadataFile), metadata));
  if (is_new_) return staging_.Commit();
  std::error_code error;
  const bool former_prepare = FileExists(JoinPath(folder_, kMetadataFile));
  std::vector<std::string> order = names_;
  order.push_back(kMetadataFile);
  for (const std::string& name : order) {
    fs::rename(PathOf(name), JoinPath(folder_, name), error);
    if (error) return FileError(error.value(), "writing", JoinPath(folder_, name));
  }
  for (const char* name : kEveryOutput) {
    if (former_prepare && std::find(names_.begin(), names_.end(), name) == names_.end()) {
      fs::remove(JoinPath(folder_, name), error);
    }
  }
  return SyncFolder(folder_);
}

}  // namespace quern
