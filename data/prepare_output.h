// Where prepare writes: a folder of its own, or one that holds other things.
#ifndef QUERN_DATA_PREPARE_OUTPUT_H_
#define QUERN_DATA_PREPARE_OUTPUT_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"
#include "base/json.h"

namespace quern {

// Nothing below `folder` changes before Publish, except for a hidden staging folder that the destructor removes.
class PrepareOutput {
 public:
  // Checks that writing `names` (and metadata.json) into `folder` harms nothing: InvalidArgument where an output is an
  // input (by inode: links count), where the folder lies in an input folder, or where a file that is not a former
  // prepare's has the name of an output. A former prepare's files are replaced.
  static absl::StatusOr<PrepareOutput> Create(const std::string& folder, const std::vector<std::string>& names,
                                              const std::string& input, const std::vector<std::string>& input_files);

  // The folder's absolute path, links resolved.
  const std::string& folder() const { return folder_; }
  // Where to write an output to.
  std::string PathOf(const std::string& name) const;
  // Puts the outputs in their place, metadata.json (sealed) last, and removes what a former prepare alone wrote.
  absl::Status Publish(const Json& metadata);

 private:
  explicit PrepareOutput(AtomicFolder staging) : staging_(std::move(staging)) {}

  std::string folder_;
  std::vector<std::string> names_;
  bool is_new_ = false;  // the folder does not exist: it appears whole
  AtomicFolder staging_;
};

inline constexpr char kMetadataFile[] = "metadata.json";
inline constexpr char kCardFile[] = "README.md";

}  // namespace quern

#endif  // QUERN_DATA_PREPARE_OUTPUT_H_
