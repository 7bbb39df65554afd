#include "train/output_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"

namespace quern {
namespace {

// What runs, evaluations and gates write into a model folder.
constexpr const char* kOfARun[] = {"quern/run.json",
                                   "quern/eval.json",
                                   "quern/verdict.json",
                                   "quern/metrics.jsonl",
                                   "quern/settings.txtpb",
                                   "quern/tensorboard",
                                   "checkpoints",
                                   "model.safetensors",
                                   "model.safetensors.index.json",
                                   "config.json",
                                   "generation_config.json",
                                   "tokenizer.json",
                                   "tokenizer_config.json",
                                   "special_tokens_map.json",
                                   "chat_template.jinja",
                                   "README.md"};

// base/file.h names temporary files and folders `.NAME.tmp-PID-N`.
absl::Status RemoveTemporaries(const std::string& folder) {
  if (!IsFolder(folder)) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListFolder(folder));
  for (const std::string& name : names) {
    if (name[0] != '.' || name.find(".tmp-") == std::string::npos) continue;
    RETURN_IF_ERROR(RemoveAll(JoinPath(folder, name)));
  }
  return absl::OkStatus();
}

bool HasRun(const std::string& path) {
  return IsFolder(JoinPath(path, "checkpoints")) || FileExists(JoinPath(path, "quern/run.json")) ||
         FileExists(JoinPath(path, "quern/settings.txtpb"));
}

}  // namespace

absl::StatusOr<OutputFolder> OutputFolder::Claim(const std::string& path, UsedFolder used) {
  OutputFolder folder(path, used);
  folder.was_absent_ = !FileExists(path);
  if (!folder.was_absent_ && !IsFolder(path)) return FileError(ENOTDIR, "writing folder", path);
  if (!folder.was_absent_) {
    ASSIGN_OR_RETURN(std::vector<std::string> names, ListFolder(path));
    folder.was_empty_ = names.empty();
  }
  const bool is_used = !folder.was_absent_ && !folder.was_empty_;
  if (is_used && used == UsedFolder::kRefuse) {
    return absl::InvalidArgumentError(
        absl::StrCat("--output_dir ", path,
                     " is not empty; continue its run with --resume_from_checkpoint auto, replace "
                     "it with --overwrite_output_dir, or choose another"));
  }
  if (is_used && used == UsedFolder::kResume && FileExists(JoinPath(path, "model.safetensors")) && !HasRun(path)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--output_dir ", path,
                     " holds a model that was not trained there; choose another folder, or start from it with "
                     "--model_name"));
  }
  if (folder.was_absent_) RETURN_IF_ERROR(MakeFolders(path));
  folder.lock_ = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder.lock_ < 0) return FileError(errno, "opening folder", path);
  // The kernel lets go of it when the process ends, however it ends.
  if (flock(folder.lock_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    folder.was_absent_ = folder.was_empty_ = false;
    return absl::UnavailableError(
        absl::StrCat("--output_dir ", path, ": another quern train is writing there; wait for it, or choose another"));
  }
  for (const char* name : {"", "quern", "quern/tensorboard", "quern/tokens", "checkpoints"}) {
    RETURN_IF_ERROR(RemoveTemporaries(JoinPath(path, name)));
  }
  return folder;
}

OutputFolder::OutputFolder(OutputFolder&& other) noexcept
    : path_(std::move(other.path_)),
      used_(other.used_),
      was_absent_(other.was_absent_),
      was_empty_(other.was_empty_),
      keep_(std::exchange(other.keep_, true)),
      lock_(std::exchange(other.lock_, -1)) {}

OutputFolder::~OutputFolder() {
  if (!keep_ && lock_ >= 0 && was_absent_) RemoveAll(path_).IgnoreError();
  if (!keep_ && lock_ >= 0 && was_empty_) {
    if (auto names = ListFolder(path_); names.ok()) {
      for (const std::string& name : *names) RemoveAll(JoinPath(path_, name)).IgnoreError();
    }
  }
  if (lock_ >= 0) close(lock_);
}

absl::Status OutputFolder::Keep() {
  keep_ = true;
  // Where no run was, a README.md is somebody else's.
  if (used_ != UsedFolder::kOverwrite || !HasRun(path_)) return absl::OkStatus();
  for (const char* name : kOfARun) RETURN_IF_ERROR(RemoveAll(JoinPath(path_, name)));
  return absl::OkStatus();
}

}  // namespace quern
