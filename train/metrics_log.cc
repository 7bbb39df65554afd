#include "train/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/status_macros.h"

namespace quern {
namespace {

// The lines of `text` that are rows of steps up to `last_step`.
std::string KeptRows(std::string_view text, int64_t last_step) {
  std::string kept;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    std::string_view line = text.substr(0, end);
    absl::StatusOr<Json> row = ParseJson(line, "metrics row");
    if (!row.ok() || !row->is_object()) continue;
    absl::StatusOr<int64_t> step = JsonInt(*row, "step", "metrics row", 1, last_step);
    if (step.ok()) kept.append(line).push_back('\n');
  }
  return kept;
}

}  // namespace

absl::StatusOr<MetricsLog> MetricsLog::Open(const std::string& path, int64_t last_step) {
  std::string text;
  if (FileExists(path)) {
    ASSIGN_OR_RETURN(text, ReadFile(path));
  }
  const std::string kept = KeptRows(text, last_step);
  if (kept != text || text.empty()) RETURN_IF_ERROR(WriteFileAtomic(path, kept));
  int fd = open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (fd < 0) return FileError(errno, "opening", path);
  return MetricsLog(path, fd);
}

MetricsLog::MetricsLog(MetricsLog&& other) noexcept
    : path_(std::move(other.path_)), fd_(std::exchange(other.fd_, -1)) {}

MetricsLog::~MetricsLog() {
  if (fd_ >= 0) close(fd_);
}

absl::Status MetricsLog::Append(const MetricsRow& row) {
  Json json = {{"step", row.step},
               {"tokens", row.tokens},
               {"loss", row.loss},
               {"eval_loss", row.eval_loss ? Json(*row.eval_loss) : Json(nullptr)},
               {"learning_rate", row.learning_rate},
               {"grad_norm", row.grad_norm},
               {"tokens_per_second", row.tokens_per_second}};
  const std::string line = WriteJsonLine(json) + "\n";
  const off_t end = lseek(fd_, 0, SEEK_END);
  for (size_t done = 0; done < line.size();) {
    ssize_t wrote = write(fd_, line.data() + done, line.size() - done);
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

absl::Status MetricsLog::Sync() { return fsync(fd_) == 0 ? absl::OkStatus() : FileError(errno, "writing", path_); }

}  // namespace quern
