// What a run must remember besides weights and moments, and what makes it the run it is.
#ifndef QUERN_TRAIN_TRAINER_STATE_H_
#define QUERN_TRAIN_TRAINER_STATE_H_

#include <cstdint>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "data/loader.h"
#include "train/train_config.pb.h"

namespace quern {

// A run's identity: model, tokenizer and texts by digest, and its settings. Two runs of one identity have the same
// bits.
struct RunIdentity {
  Json architecture;  // as in config.json
  std::string tokenizer_sha256, train_sha256, validation_sha256;
  Json settings;  // field name -> value, as resolved; paths and what happens every so many steps left out
};

// The fields of `config` that decide the weights.
Json IdentitySettings(const TrainConfig& config);

// InvalidArgument, naming field and both values, where a checkpoint by `theirs` cannot go on as `ours`: another
// architecture, tokenizer or text, another seed or batch. Other settings that differ (a learning rate, more steps) are
// allowed and come back as one line each.
absl::StatusOr<std::vector<std::string>> CompareIdentities(const RunIdentity& ours, const RunIdentity& theirs,
                                                           const std::string& checkpoint);

struct TrainerState {
  int64_t step = 0;  // done
  LoaderState loader;
  double initial_eval_loss = std::numeric_limits<double>::quiet_NaN();
  double best_eval_loss = std::numeric_limits<double>::infinity();
  int64_t best_step = 0;  // 0: not evaluated yet
  RunIdentity identity;
};

// trainer_state.json. Equal states give equal bytes.
Json TrainerStateToJson(const TrainerState& state);
absl::StatusOr<TrainerState> ReadTrainerState(const std::string& path);

}  // namespace quern

#endif  // QUERN_TRAIN_TRAINER_STATE_H_
