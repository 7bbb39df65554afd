#include "train/metrics_log.h"

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
  ASSIGN_OR_RETURN(AppendFile file, AppendFile::Open(path));
  return MetricsLog(std::move(file));
}

absl::Status MetricsLog::Append(const MetricsRow& row) {
  Json json = {{"step", row.step},
               {"tokens", row.tokens},
               {"loss", row.loss},
               {"eval_loss", row.eval_loss ? Json(*row.eval_loss) : Json(nullptr)},
               {"learning_rate", row.learning_rate},
               {"grad_norm", row.grad_norm},
               {"tokens_per_second", row.tokens_per_second}};
  return file_.Append(WriteJsonLine(json) + "\n");
}

}  // namespace quern
