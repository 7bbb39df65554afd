// quern train
#include "train/train.h"

#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/str_format.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/train_flags.h"

namespace quern::cli {
namespace {

Json AsJson(const TrainConfig& config, const TrainResult& result) {
  return {{"output_dir", config.output_dir()},
          {"steps", result.steps},
          {"resumed_from", result.resumed_from},
          {"tokens", result.tokens},
          {"parameters", result.parameters},
          {"loss", result.loss},
          {"initial_eval_loss", result.initial_eval_loss},
          {"best_eval_loss", result.best_eval_loss},
          {"best_step", result.best_step},
          {"best_bits_per_byte", result.best_bits_per_byte},
          {"seconds", result.seconds},
          {"tokens_per_second", result.tokens_per_second}};
}

std::string AsText(const TrainConfig& config, const TrainResult& result) {
  std::string out;
  const auto row = [&out](const char* name, const std::string& value) {
    absl::StrAppendFormat(&out, "%-17s %s\n", name, value);
  };
  row("model", config.output_dir());
  row("parameters", FormatCount(result.parameters));
  row("steps", FormatCount(result.steps) +
                   (result.resumed_from > 0 ? " (resumed at " + FormatCount(result.resumed_from) + ")" : ""));
  row("tokens", FormatCount(result.tokens));
  row("time", absl::StrFormat("%s, %s tokens/s", FormatDuration(result.seconds),
                              FormatCount(std::llround(result.tokens_per_second))));
  row("training loss", absl::StrFormat("%.4f nats per token", result.loss));
  row("validation loss", absl::StrFormat("%.4f before, %.4f at step %s (best)", result.initial_eval_loss,
                                         result.best_eval_loss, FormatCount(result.best_step)));
  row("bits per byte", absl::StrFormat("%.4f on the validation text", result.best_bits_per_byte));
  return out;
}

class TrainCommand : public Command {
 public:
  void Declare(Flags& flags) override { flags_.Declare(flags); }

  absl::Status ApplyConfig(const GlobalFlags& global, Flags& flags) override {
    RETURN_IF_ERROR(flags_.Resolve(global, flags));
    return AsUsageError(CheckTrainConfig(flags_.config()));
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    LOG(INFO) << "settings that are not the default:\n" << absl::StripTrailingAsciiWhitespace(flags_.DescribeOrigins());
    ASSIGN_OR_RETURN(const TrainResult result, Train(flags_.config()));
    RETURN_IF_ERROR(Print(global.json ? WriteJson(AsJson(flags_.config(), result)) : AsText(flags_.config(), result)));
    return kDone;
  }

 private:
  TrainFlags flags_;
};

}  // namespace

extern const Verb kTrain;
const Verb kTrain = {
    .name = "train",
    .summary = "train a model, from scratch or from a model folder",
    .usage = "--train_file F --validation_file F --output_dir D [flags]",
    .details = R"(D becomes a model folder in Hugging Face layout that holds the best model by validation loss, with
D/checkpoints, D/quern/metrics.jsonl and D/quern/run.json. Without --model_name or a config it builds a
small Llama. Ctrl-C saves a checkpoint; --resume_from_checkpoint auto goes on from it, to the same bits
as if it had never stopped. The result depends on texts and settings, not on
--threads or on which vector instruction set runs.

--config takes a protobuf text file with the fields below, and the architecture:
  learning_rate: 1e-3  max_steps: 2000  model { gpt2 { n_layer: 4 n_head: 4 n_embd: 128 } }
--set sets one field: --set model.llama.num_hidden_layers=6

The fields of model { gpt2 {} } and model { llama {} } are named as in Hugging Face's config.json.)",
    .examples =
        R"(quern train --train_file data/book/train.txt --validation_file data/book/validation.txt --output_dir artifacts/book
quern train --config runs/kjv.txtpb --train_file T --validation_file V --output_dir artifacts/kjv --learning_rate 3e-3
quern train --train_file T --validation_file V --output_dir artifacts/book --resume_from_checkpoint auto
quern train --model_name gpt2 --train_file T --validation_file V --output_dir artifacts/tuned --learning_rate 5e-5)",
    .make = Make<TrainCommand>,
};

}  // namespace quern::cli
