// TrainConfig as flags, by reflection: one for each of its fields, with the schema's comment as help.
#ifndef QUERN_CLI_TRAIN_FLAGS_H_
#define QUERN_CLI_TRAIN_FLAGS_H_

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "cli/command.h"
#include "train/train_config.pb.h"

namespace quern::cli {

class TrainFlags {
 public:
  // `seed` is a flag that every verb has.
  void Declare(Flags& flags);

  // Fills the config: file, then --set, then flags.
  absl::Status Resolve(const GlobalFlags& global, const Flags& flags);

  const TrainConfig& config() const { return config_; }
  // A line per value that is not the default: "learning_rate   0.003   flag".
  std::string DescribeOrigins() const;

 private:
  void RecordOrigins(Origin origin);

  TrainConfig config_;
  std::vector<std::pair<std::string, std::string>> given_;  // flags, as written
  // By path ("model.gpt2.n_layer"): the value and where it came from.
  std::map<std::string, std::pair<std::string, Origin>> origins_;
};

}  // namespace quern::cli

#endif  // QUERN_CLI_TRAIN_FLAGS_H_
