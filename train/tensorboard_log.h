// quern/tensorboard/: the rows of quern/metrics.jsonl as TensorBoard shows them.
//
//   train/loss, train/learning_rate, train/grad_norm, train/tokens_per_second, eval/loss        scalars by step
//
// Each process that trains writes a file of its own, events.out.tfevents.TIME.HOST.PID.0, named so that files sort in
// the order in which they were written, also where clocks do not. A run that goes on from a step first cuts what stands
// after it off the older files; and its file begins by telling a TensorBoard that has read on to forget it. So no step
// is there twice, however the run was stopped. Files hold times and names of machines: no digest covers them.
#ifndef QUERN_TRAIN_TENSORBOARD_LOG_H_
#define QUERN_TRAIN_TENSORBOARD_LOG_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/append_file.h"
#include "train/metrics_log.h"

namespace quern {

// Cuts the events of steps after `last_step` off the files of `folder`, torn tails too; a file that is left without
// scalars is removed. OK where there is no such folder.
absl::Status CutEventFiles(const std::string& folder, int64_t last_step);

class TensorBoardLog {
 public:
  // Begins a file in `folder`, which is made where it is not there, for the steps after `last_step`.
  static absl::StatusOr<TensorBoardLog> Open(const std::string& folder, int64_t last_step);

  const std::string& path() const { return file_.path(); }
  // An event is there whole or, after an error, not at all.
  absl::Status Append(const MetricsRow& row);
  absl::Status Sync() { return file_.Sync(); }

 private:
  explicit TensorBoardLog(AppendFile file) : file_(std::move(file)) {}

  AppendFile file_;
};

}  // namespace quern

#endif  // QUERN_TRAIN_TENSORBOARD_LOG_H_
