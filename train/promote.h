// What a run leaves in its output folder besides checkpoints: the model folder and its lineage.
#ifndef QUERN_TRAIN_PROMOTE_H_
#define QUERN_TRAIN_PROMOTE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "nn/language_model.h"
#include "train/setup.h"
#include "train/train_config.pb.h"

namespace quern {

// Writes config.json, tokenizer.json (a byte copy, and its companions) and quern/settings.txtpb, and returns `inputs`
// of run.json: the digests of all that the run is made from. Called when a run or a resumed run begins.
absl::StatusOr<Json> BeginModelFolder(const TrainConfig& resolved, const ModelConfig& model_config,
                                      const RunTokenizer& tokenizer, const std::optional<std::string>& smoke);

// Writes `model` and, last, quern/run.json. In between there is no run.json, so that a model folder whose run.json is
// there is whole: a crash at any point leaves what `--resume_from_checkpoint auto` mends.
absl::Status Promote(const std::string& output_dir, LanguageModel& model, Json run);

}  // namespace quern

#endif  // QUERN_TRAIN_PROMOTE_H_
