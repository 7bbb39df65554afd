// CheckTrainConfig: what is wrong with the flags by themselves.
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "train/schedule.h"
#include "train/train.h"

namespace quern {
namespace {

absl::Status Bad(const std::string& what) { return absl::InvalidArgumentError(what); }

absl::Status CheckFiles(const TrainConfig& c) {
  if (c.train_file().empty()) return Bad("--train_file is missing: the text to learn from");
  if (c.validation_file().empty()) {
    return Bad(
        "--validation_file is missing: the text that decides which checkpoint is best (quern prepare makes one)");
  }
  if (c.output_dir().empty()) return Bad("--output_dir is missing: the folder that becomes the model's");
  if (c.has_model_name() && c.model_name().empty()) return Bad("--model_name is empty; name a model's folder");
  if (c.has_tokenizer() && c.tokenizer().empty()) return Bad("--tokenizer is empty; name a file, char or byte");
  if (c.has_resume_from_checkpoint() && c.resume_from_checkpoint().empty()) {
    return Bad("--resume_from_checkpoint is empty; say auto or name a checkpoint's folder");
  }
  if (c.has_resume_from_checkpoint() && c.overwrite_output_dir()) {
    return Bad("--resume_from_checkpoint goes on with what --overwrite_output_dir removes; say one of them");
  }
  return absl::OkStatus();
}

absl::Status CheckCounts(const TrainConfig& c) {
  struct Count {
    const char* name;
    int64_t value, least;
  };
  constexpr int64_t kMost = int64_t{1} << 31;  // steps are 32 bits of the random numbers' counter
  for (const Count& count :
       {Count{"max_steps", c.max_steps(), 0}, Count{"batch_size", c.batch_size(), 1},
        Count{"block_size", c.block_size(), 1},
        Count{"gradient_accumulation_steps", c.gradient_accumulation_steps(), 1},
        Count{"warmup_steps", c.warmup_steps(), 0}, Count{"logging_steps", c.logging_steps(), 1},
        Count{"eval_steps", c.eval_steps(), 0}, Count{"save_steps", c.save_steps(), 0},
        Count{"eval_batches", c.eval_batches(), 0}, Count{"save_total_limit", c.save_total_limit(), 0}}) {
    if (count.value >= count.least && count.value < kMost) continue;
    return Bad(
        absl::StrCat("--", count.name, " is ", count.value, "; it is at least ", count.least, " and below 2^31"));
  }
  if (c.save_total_limit() == 1) {
    return Bad("--save_total_limit is 1; two are kept at least, so that one damaged checkpoint ends no run (0: all)");
  }
  const bool epochs = c.num_train_epochs() > 0 && c.num_train_epochs() <= 1e6;
  if (!epochs) return Bad(absl::StrCat("--num_train_epochs is ", c.num_train_epochs(), "; it is above 0, at most 1e6"));
  if (int64_t{c.batch_size()} * c.block_size() >= kMost) {
    return Bad(absl::StrCat("--batch_size ", c.batch_size(), " times --block_size ", c.block_size(),
                            " is 2^31 tokens or more; use --gradient_accumulation_steps"));
  }
  return absl::OkStatus();
}

absl::Status CheckRates(const TrainConfig& c) {
  struct Rate {
    const char* name;
    double value, most;
    bool most_included;
  };
  for (const Rate& rate :
       {Rate{"learning_rate", c.learning_rate(), 100, true},
        Rate{"min_learning_rate", c.min_learning_rate(), 100, true}, Rate{"weight_decay", c.weight_decay(), 100, true},
        Rate{"adam_beta1", c.adam_beta1(), 1, false}, Rate{"adam_beta2", c.adam_beta2(), 1, false},
        Rate{"adam_epsilon", c.adam_epsilon(), 1, true}, Rate{"max_grad_norm", c.max_grad_norm(), 1e30, true},
        Rate{"dropout", c.dropout(), 1, false}}) {
    const bool fits = rate.value >= 0 && (rate.most_included ? rate.value <= rate.most : rate.value < rate.most);
    if (fits) continue;
    return Bad(absl::StrCat("--", rate.name, " is ", rate.value, "; it is from 0 to ", rate.most,
                            rate.most_included ? "" : ", which is left out"));
  }
  if (c.has_min_learning_rate() && c.has_learning_rate() && c.min_learning_rate() > c.learning_rate()) {
    return Bad(
        absl::StrCat("--min_learning_rate ", c.min_learning_rate(), " is above --learning_rate ", c.learning_rate()));
  }
  return ParseScheduleKind(c.lr_scheduler()).status();
}

absl::Status CheckReport(const TrainConfig& c) {
  if (c.report_to() == "none" || c.report_to() == "tensorboard") return absl::OkStatus();
  return Bad(absl::StrCat("--report_to is none or tensorboard; got \"", c.report_to(), "\".",
                          DidYouMean(c.report_to(), {"none", "tensorboard"})));
}

}  // namespace

absl::Status CheckTrainConfig(const TrainConfig& config) {
  RETURN_IF_ERROR(CheckFiles(config));
  RETURN_IF_ERROR(CheckCounts(config));
  RETURN_IF_ERROR(CheckRates(config));
  return CheckReport(config);
}

}  // namespace quern
