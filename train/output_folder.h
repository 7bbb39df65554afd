// The output folder of a run: who may use it, and what becomes of what was there.
#ifndef QUERN_TRAIN_OUTPUT_FOLDER_H_
#define QUERN_TRAIN_OUTPUT_FOLDER_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quern {

enum class UsedFolder { kRefuse, kOverwrite, kResume };

class OutputFolder {
 public:
  // Takes `path`, which may be absent, empty or used as `used` says, for this process: Unavailable while another trains
  // in it. InvalidArgument for a used folder with kRefuse, for a file, and, with kResume, for a model that no training
  // run wrote. Temporary files of a killed run are removed; nothing else is.
  static absl::StatusOr<OutputFolder> Claim(const std::string& path, UsedFolder used);
  OutputFolder(OutputFolder&& other) noexcept;
  OutputFolder& operator=(OutputFolder&&) = delete;
  // Before Keep: a folder that was absent is absent again, one that was empty is empty.
  ~OutputFolder();

  const std::string& path() const { return path_; }
  // The run begins: from here on what is written stays. With kOverwrite, what an earlier run left is removed first, but
  // for its token ids, which their digests vouch for; files that no run writes are kept.
  absl::Status Keep();

 private:
  OutputFolder(std::string path, UsedFolder used) : path_(std::move(path)), used_(used) {}

  std::string path_;
  UsedFolder used_;
  bool was_absent_ = false, was_empty_ = false, keep_ = false;
  int lock_ = -1;
};

}  // namespace quern

#endif  // QUERN_TRAIN_OUTPUT_FOLDER_H_
