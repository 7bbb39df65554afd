#include "train/tensorboard_log.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "train/event_file.h"

namespace quern {
namespace {

using tensorboard::Event;

constexpr char kPrefix[] = "events.out.tfevents.";

absl::StatusOr<std::vector<std::string>> EventFileNames(const std::string& folder) {
  if (!IsFolder(folder)) return std::vector<std::string>();
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListFolder(folder));
  names.erase(std::remove_if(names.begin(), names.end(),
                             [](const std::string& name) { return !absl::StartsWith(name, kPrefix); }),
              names.end());
  return names;
}

// Later than the name of any file that is there.
std::string NextName(const std::vector<std::string>& names) {
  int64_t time = static_cast<int64_t>(WallSeconds());
  for (const std::string& name : names) {
    int64_t other = 0;
    if (absl::SimpleAtoi(name.substr(sizeof(kPrefix) - 1, 10), &other)) time = std::max(time, other + 1);
  }
  char host[256] = "localhost";
  if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
  return absl::StrFormat("%s%010d.%s.%d.0", kPrefix, time, host, getpid());
}

Event Now(int64_t step) {
  Event event;
  event.set_wall_time(WallSeconds());
  event.set_step(step);
  return event;
}

absl::Status Cut(const std::string& path, int64_t last_step) {
  absl::StatusOr<EventFile> file = ReadEventFile(path);
  if (absl::IsInvalidArgument(file.status())) {
    LOG(WARNING) << file.status().message() << "; left as it is";
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(file.status());
  uint64_t keep = file->intact_bytes;
  bool has_scalars = false;
  for (const EventFile::Record& record : file->records) {
    if (!record.event.has_summary()) continue;
    if (record.event.step() > last_step) {
      keep = record.begin;
      break;
    }
    has_scalars = true;
  }
  if (!has_scalars) return RemoveAll(path);
  ASSIGN_OR_RETURN(const uint64_t size, FileSize(path));
  if (keep == size || truncate(path.c_str(), static_cast<off_t>(keep)) == 0) return absl::OkStatus();
  return FileError(errno, "shortening", path);
}

}  // namespace

absl::Status CutEventFiles(const std::string& folder, int64_t last_step) {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, EventFileNames(folder));
  for (const std::string& name : names) RETURN_IF_ERROR(Cut(JoinPath(folder, name), last_step));
  return absl::OkStatus();
}

absl::StatusOr<TensorBoardLog> TensorBoardLog::Open(const std::string& folder, int64_t last_step) {
  RETURN_IF_ERROR(MakeFolders(folder));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, EventFileNames(folder));
  Event version = Now(0), start = Now(last_step + 1);
  version.set_file_version("brain.Event:2");
  version.mutable_source_metadata()->set_writer("quern");
  start.mutable_session_log()->set_status(tensorboard::SessionLog::START);
  const std::string path = JoinPath(folder, NextName(names));
  RETURN_IF_ERROR(WriteFileAtomic(path, absl::StrCat(EventRecord(version), EventRecord(start))));
  ASSIGN_OR_RETURN(AppendFile file, AppendFile::Open(path));
  return TensorBoardLog(std::move(file));
}

absl::Status TensorBoardLog::Append(const MetricsRow& row) {
  Event event = Now(row.step);
  const auto add = [&event](const char* tag, double value) {
    tensorboard::Summary::Value* scalar = event.mutable_summary()->add_value();
    scalar->set_tag(tag);
    scalar->set_simple_value(static_cast<float>(value));
  };
  add("train/loss", row.loss);
  add("train/learning_rate", row.learning_rate);
  add("train/grad_norm", row.grad_norm);
  add("train/tokens_per_second", row.tokens_per_second);
  if (row.eval_loss) add("eval/loss", *row.eval_loss);
  return file_.Append(EventRecord(event));
}

}  // namespace quern
