// Checkpoints: OUTPUT_DIR/checkpoints/step-00000500/
//
//   model.safetensors       the weights, as in a model folder
//   optimizer.safetensors   NAME.exp_avg and NAME.exp_avg_sq, f32, for each weight NAME
//   trainer_state.json      train/trainer_state.h
//   MANIFEST.json           {"files": {name: {"sha256", "bytes"}, ...}}, sealed (base/lineage.h)
//
// A folder appears whole or not at all. Nothing in it is believed before MANIFEST.json vouches for it.
#ifndef QUERN_TRAIN_CHECKPOINT_H_
#define QUERN_TRAIN_CHECKPOINT_H_

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nn/language_model.h"
#include "train/train_step.h"
#include "train/trainer_state.h"

namespace quern {

struct Checkpoint {
  std::string path;
  TrainerState state;
};

// "OUTPUT_DIR/checkpoints/step-00000500".
std::string CheckpointPath(const std::string& output_dir, int64_t step);

// Replaces what stands at that step.
absl::Status SaveCheckpoint(const std::string& output_dir, LanguageModel& model, TrainStep& step,
                            const TrainerState& state);

// Checks every file against the manifest. InvalidArgument or NotFound names the file that is missing or changed.
absl::StatusOr<Checkpoint> OpenCheckpoint(const std::string& path);

// The newest checkpoint of the folder that OpenCheckpoint accepts; those that it does not are named on the log. None
// where there is none.
absl::StatusOr<std::optional<Checkpoint>> NewestCheckpoint(const std::string& output_dir);

// Puts weights and moments into model and step. InvalidArgument where names or shapes differ.
absl::Status RestoreCheckpoint(const Checkpoint& checkpoint, LanguageModel& model, TrainStep& step);

// Steps of the checkpoints that are there, valid or not, ascending.
absl::StatusOr<std::vector<int64_t>> ListCheckpoints(const std::string& output_dir);
// Removes all but those of `keep`.
absl::Status RemoveCheckpoints(const std::string& output_dir, const std::set<int64_t>& keep);

}  // namespace quern

#endif  // QUERN_TRAIN_CHECKPOINT_H_
