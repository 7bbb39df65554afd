// quern/metrics.jsonl: one JSON object a line, a line a step.
#ifndef QUERN_TRAIN_METRICS_LOG_H_
#define QUERN_TRAIN_METRICS_LOG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/append_file.h"

namespace quern {

struct MetricsRow {
  int64_t step = 0;  // from 1
  int64_t tokens = 0;
  double loss = 0;                  // of this step, nats per token
  std::optional<double> eval_loss;  // null between evaluations
  double learning_rate = 0;
  double grad_norm = 0;          // before clipping
  double tokens_per_second = 0;  // since the row before; the one field that differs between equal runs
};

class MetricsLog {
 public:
  // Keeps the rows of steps up to `last_step` and drops the others, whole or torn: a resumed run writes them again.
  static absl::StatusOr<MetricsLog> Open(const std::string& path, int64_t last_step);

  // A row is written whole or, after an error, not at all.
  absl::Status Append(const MetricsRow& row);
  // To the disk: before a checkpoint says that these steps are done.
  absl::Status Sync() { return file_.Sync(); }

 private:
  explicit MetricsLog(AppendFile file) : file_(std::move(file)) {}

  AppendFile file_;
};

}  // namespace quern

#endif  // QUERN_TRAIN_METRICS_LOG_H_
