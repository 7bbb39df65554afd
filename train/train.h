// `quern train`: two texts -> a model folder in Hugging Face layout, with checkpoints, metrics and lineage.
//
//   OUTPUT_DIR/config.json, generation_config.json, tokenizer.json, model.safetensors
//                                     the best model by validation loss
//   OUTPUT_DIR/quern/run.json         what it was made from, by digest (base/lineage.h)
//   OUTPUT_DIR/quern/settings.txtpb   the TrainConfig as resolved, without paths; `--config` takes it
//   OUTPUT_DIR/quern/metrics.jsonl    a row per logging_steps: step (from 1), tokens, loss, eval_loss (null between
//                                     evaluations), learning_rate, grad_norm, tokens_per_second
//   OUTPUT_DIR/quern/tensorboard/     the same rows as event files, with `report_to: "tensorboard"`
//   OUTPUT_DIR/quern/tokens/          the texts as token ids; made again where missing or changed
//   OUTPUT_DIR/checkpoints/step-00000500/   model.safetensors, optimizer.safetensors, trainer_state.json, MANIFEST.json
//
// Guarantees: the weights depend on texts, tokenizer and settings alone: not on threads, on the vector instruction set
// (f32; the reference is close, not equal), or on where a run was stopped and resumed. Every file but metrics.jsonl's
// rates and TensorBoard's is the same bytes for equal runs. A checkpoint is there whole or not at all. The weights and
// run.json of OUTPUT_DIR are replaced when the run ends or is interrupted.
#ifndef QUERN_TRAIN_TRAIN_H_
#define QUERN_TRAIN_TRAIN_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "train/train_config.pb.h"

namespace quern {

struct TrainResult {
  int64_t steps = 0;         // of the whole run, those before a resume included
  int64_t resumed_from = 0;  // the checkpoint's step; 0: a fresh start
  int64_t tokens = 0;        // steps * batch * block * accumulation
  int64_t parameters = 0;
  double loss = 0;               // of the last step, nats per token; NaN where no step was left to do
  double initial_eval_loss = 0;  // before the first step
  double best_eval_loss = 0;     // of the model in output_dir
  int64_t best_step = 0;
  // Validation bits per byte of the best model: eval_loss / ln 2 * tokens / bytes.
  double best_bits_per_byte = 0;
  double seconds = 0;            // of this process
  double tokens_per_second = 0;  // evaluations and checkpoints left out
};

// What is wrong with the flags by themselves, without a look at any file: InvalidArgument naming the flag. The command
// line turns this into a usage error; Train calls it too.
absl::Status CheckTrainConfig(const TrainConfig& config);

// Polls base/interrupt.h between steps: after a signal a checkpoint is saved, the best model so far is promoted, and
// Cancelled is returned, with a message that says how to go on. Errors: NotFound, PermissionDenied (files);
// InvalidArgument (empty or too short text, a symbol that the tokenizer lacks, a used output folder, a model that does
// not fit the tokenizer or the texts, weights that are no numbers, a checkpoint of another architecture, a damaged
// checkpoint named by path); ResourceExhausted (memory, disk), Unavailable (disk; another process trains in the same
// folder); FailedPrecondition (the loss is no longer a number). After an error there is no half-written checkpoint and
// no temporary file.
absl::StatusOr<TrainResult> Train(const TrainConfig& config);

}  // namespace quern

#endif  // QUERN_TRAIN_TRAIN_H_
