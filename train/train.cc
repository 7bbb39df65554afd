#include "train/train.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "nn/model_folder.h"
#include "tensor/memory.h"
#include "train/checkpoint.h"
#include "train/corpus.h"
#include "train/evaluation.h"
#include "train/metrics_log.h"
#include "train/output_folder.h"
#include "train/promote.h"
#include "train/schedule.h"
#include "train/setup.h"
#include "train/smoke_check.h"
#include "train/tensorboard_log.h"
#include "train/train_step.h"

namespace quern {
namespace {

bool SameFolder(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::equivalent(a, b, error) && !error;
}

// A run from its flags to its last file. The methods are called in the order in which they stand.
class TrainingRun {
 public:
  explicit TrainingRun(const TrainConfig& config) : config_(config) {}

  absl::StatusOr<TrainResult> Run() {
    const double start = MonotonicSeconds();
    RETURN_IF_ERROR(OpenInputs());
    RETURN_IF_ERROR(ClaimFolder());
    RETURN_IF_ERROR(PrepareTexts());
    RETURN_IF_ERROR(PrepareModel());
    RETURN_IF_ERROR(Begin());
    RETURN_IF_ERROR(Loop());
    RETURN_IF_ERROR(PromoteBest());
    if (Interrupted() && state_.step < config_.max_steps()) return Stopped();
    result_.seconds = MonotonicSeconds() - start;
    return result_;
  }

 private:
  absl::Status OpenInputs() {
    ASSIGN_OR_RETURN(train_text_, OpenText(config_.train_file(), "--train_file"));
    ASSIGN_OR_RETURN(validation_text_, OpenText(config_.validation_file(), "--validation_file"));
    if (config_.has_model_name()) RETURN_IF_ERROR(ReadModelConfig(config_.model_name()).status());
    if (!config_.has_model_name() || !SameFolder(config_.model_name(), config_.output_dir())) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "--output_dir ", config_.output_dir(), " is the model that --model_name starts from; choose another folder"));
  }

  absl::Status ClaimFolder() {
    const bool resume = config_.has_resume_from_checkpoint();
    const UsedFolder used = resume                           ? UsedFolder::kResume
                            : config_.overwrite_output_dir() ? UsedFolder::kOverwrite
                                                             : UsedFolder::kRefuse;
    ASSIGN_OR_RETURN(OutputFolder folder, OutputFolder::Claim(config_.output_dir(), used));
    folder_.emplace(std::move(folder));
    if (!resume) return absl::OkStatus();
    if (config_.resume_from_checkpoint() == "auto") {
      ASSIGN_OR_RETURN(checkpoint_, NewestCheckpoint(config_.output_dir()));
      if (!checkpoint_) LOG(INFO) << "no checkpoint in " << config_.output_dir() << ": starting afresh";
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(checkpoint_, OpenCheckpoint(config_.resume_from_checkpoint()));
    return absl::OkStatus();
  }

  // A tokenizer that the run made itself is taken from its folder: it need not be made again.
  absl::StatusOr<RunTokenizer> TokenizerOfRun() {
    const std::string own = JoinPath(config_.output_dir(), "tokenizer.json");
    const bool made = !config_.has_tokenizer() || config_.tokenizer() == "char" || config_.tokenizer() == "byte";
    if (checkpoint_ && made && !config_.has_model_name() && FileExists(own)) {
      absl::StatusOr<Tokenizer> tokenizer = Tokenizer::Load(own);
      if (tokenizer.ok() && tokenizer->sha256() == checkpoint_->state.identity.tokenizer_sha256) {
        return RunTokenizer{*std::move(tokenizer), "", ""};
      }
    }
    return ChooseTokenizer(config_, train_text_, validation_text_);
  }

  absl::Status PrepareTexts() {
    ASSIGN_OR_RETURN(RunTokenizer tokenizer, TokenizerOfRun());
    tokenizer_.emplace(std::move(tokenizer));
    const std::string folder = JoinPath(config_.output_dir(), "quern/tokens");
    ASSIGN_OR_RETURN(train_, TokensOf(train_text_, tokenizer_->tokenizer, folder, "train"));
    ASSIGN_OR_RETURN(validation_, TokensOf(validation_text_, tokenizer_->tokenizer, folder, "validation"));
    ASSIGN_OR_RETURN(config_, ResolveSettings(config_, train_.shard->tokens(), validation_.shard->tokens()));
    return absl::OkStatus();
  }

  absl::Status PrepareModel() {
    ASSIGN_OR_RETURN(model_config_, ChooseModelConfig(config_, tokenizer_->tokenizer));
    state_.loader.seed = config_.seed();
    state_.identity = {ModelConfigToJson(model_config_), tokenizer_->tokenizer.sha256(), train_text_.sha256,
                       validation_text_.sha256, IdentitySettings(config_)};
    if (checkpoint_) RETURN_IF_ERROR(CheckIdentity());
    ASSIGN_OR_RETURN(model_, MakeRunModel(config_, model_config_));
    result_.parameters = model_->CountParameters();
    RETURN_IF_ERROR(
        MemoryBudget::Reserve(TrainStep::MemoryBytes(result_.parameters, config_.gradient_accumulation_steps()), Cpu(),
                              "gradients and moments"));
    TrainStepOptions options;
    options.block = config_.block_size();
    options.beta1 = config_.adam_beta1();
    options.beta2 = config_.adam_beta2();
    options.epsilon = config_.adam_epsilon();
    options.weight_decay = config_.weight_decay();
    options.max_grad_norm = config_.max_grad_norm();
    options.seed = config_.seed();
    options.gradient_checkpointing = config_.gradient_checkpointing();
    step_ = std::make_unique<TrainStep>(*model_, options);
    evaluation_ = std::make_unique<Evaluation>(validation_.shard, config_.block_size(), config_.batch_size(),
                                               config_.eval_batches());
    if (!checkpoint_) return absl::OkStatus();
    return Restore();
  }

  absl::Status Restore() {
    RETURN_IF_ERROR(RestoreCheckpoint(*checkpoint_, *model_, *step_));
    RunIdentity identity = std::move(state_.identity);
    state_ = checkpoint_->state;
    state_.identity = std::move(identity);
    result_.resumed_from = saved_step_ = previous_step_ = state_.step;
    if (state_.best_step > 0 && !OpenCheckpoint(CheckpointPath(config_.output_dir(), state_.best_step)).ok()) {
      LOG(WARNING) << "the best checkpoint so far, of step " << state_.best_step << ", is not in "
                   << config_.output_dir() << ": the best is sought anew from here";
      state_.best_step = 0;
      state_.best_eval_loss = std::numeric_limits<double>::infinity();
    }
    previous_best_ = state_.best_step;
    return absl::OkStatus();
  }

  absl::Status CheckIdentity() const {
    ASSIGN_OR_RETURN(std::vector<std::string> changed,
                     CompareIdentities(state_.identity, checkpoint_->state.identity, checkpoint_->path));
    for (const std::string& what : changed) {
      LOG(WARNING) << "not the run that the checkpoint is of: " << what;
    }
    return absl::OkStatus();
  }

  absl::Status Begin() {
    smoke_ = FindSmokeSet(config_.train_file());
    if (smoke_ && !checkpoint_) {
      RETURN_IF_ERROR(CheckSmokeSet(*smoke_, tokenizer_->tokenizer, config_.block_size(), *step_));
    }
    Announce();
    if (!checkpoint_) {
      state_.initial_eval_loss = evaluation_->Loss(*model_);
      LOG(INFO) << "before training: " << DescribeLoss(state_.initial_eval_loss);
    }
    if (Interrupted()) return absl::CancelledError("interrupted before the first step; nothing was trained");
    RETURN_IF_ERROR(folder_->Keep());
    RETURN_IF_ERROR(DropLaterCheckpoints());
    ASSIGN_OR_RETURN(inputs_, BeginModelFolder(config_, model_config_, *tokenizer_, smoke_));
    ASSIGN_OR_RETURN(MetricsLog metrics,
                     MetricsLog::Open(JoinPath(config_.output_dir(), "quern/metrics.jsonl"), state_.step));
    metrics_.emplace(std::move(metrics));
    const std::string events = JoinPath(config_.output_dir(), "quern/tensorboard");
    RETURN_IF_ERROR(CutEventFiles(events, state_.step));
    if (config_.report_to() != "tensorboard") return absl::OkStatus();
    ASSIGN_OR_RETURN(TensorBoardLog tensorboard, TensorBoardLog::Open(events, state_.step));
    tensorboard_.emplace(std::move(tensorboard));
    return absl::OkStatus();
  }

  // What a run wrote after the point from which it is told to go on is no part of this run any more.
  absl::Status DropLaterCheckpoints() const {
    // What stands after the newest whole one is damaged, and is replaced in time.
    if (!checkpoint_ || config_.resume_from_checkpoint() == "auto") return absl::OkStatus();
    ASSIGN_OR_RETURN(std::vector<int64_t> steps, ListCheckpoints(config_.output_dir()));
    std::set<int64_t> keep;
    for (int64_t step : steps) {
      if (step <= state_.step) {
        keep.insert(step);
      } else {
        LOG(WARNING) << "removing " << CheckpointPath(config_.output_dir(), step) << ": the run goes on from step "
                     << state_.step;
      }
    }
    return RemoveCheckpoints(config_.output_dir(), keep);
  }

  void Announce() const {
    LOG(INFO) << FormatCount(result_.parameters) << " parameters; " << FormatCount(train_.shard->tokens())
              << " tokens to learn from, " << FormatCount(evaluation_->windows() * config_.block_size()) << " of "
              << FormatCount(validation_.shard->tokens()) << " to validate on; " << FormatCount(config_.max_steps())
              << " steps of " << FormatCount(TokensPerStep()) << " tokens, "
              << absl::StrFormat("%.2f", static_cast<double>(config_.max_steps()) * TokensPerStep() /
                                             static_cast<double>(train_.shard->tokens()))
              << " epochs";
    if (checkpoint_) LOG(INFO) << "going on from " << checkpoint_->path;
  }

  int64_t TokensPerStep() const {
    return int64_t{config_.batch_size()} * config_.block_size() * config_.gradient_accumulation_steps();
  }
  double BitsPerByte(double loss) const {
    return loss / std::log(2.0) * static_cast<double>(validation_.shard->tokens()) /
           static_cast<double>(validation_.bytes);
  }
  std::string DescribeLoss(double loss) const {
    return absl::StrFormat("validation loss %.4f, perplexity %.4g, %.4f bits per byte", loss, std::exp(loss),
                           BitsPerByte(loss));
  }

  absl::Status Loop() {
    const Schedule schedule = {*ParseScheduleKind(config_.lr_scheduler()), config_.learning_rate(),
                               config_.min_learning_rate(), config_.warmup_steps(), config_.max_steps()};
    TokenLoader loader(train_.shard, config_.block_size(), state_.loader);
    Progress progress("train", config_.max_steps(), "steps");
    progress.Update(state_.step);
    result_.loss = std::numeric_limits<double>::quiet_NaN();
    while (state_.step < config_.max_steps() && !Interrupted()) {
      const double start = MonotonicSeconds();
      std::vector<TokenBatch> batches;
      for (int i = 0; i < config_.gradient_accumulation_steps(); ++i)
        batches.push_back(loader.Next(config_.batch_size()));
      MetricsRow row;
      row.learning_rate = schedule.LearningRate(state_.step + 1);
      const StepResult step = step_->Run(batches, row.learning_rate);
      if (step.diverged) {
        return Diverged(state_.step + 1, absl::StrCat("loss ", step.loss, ", gradient norm ", step.grad_norm));
      }
      ++state_.step;
      state_.loader = loader.state();
      stepping_seconds_ += MonotonicSeconds() - start;
      row.loss = result_.loss = step.loss;
      row.grad_norm = step.grad_norm;
      RETURN_IF_ERROR(AfterStep(&row, &progress));
    }
    progress.Finish();
    // A signal may come after the step asked for one.
    if (Interrupted() && saved_step_ != state_.step) RETURN_IF_ERROR(Save());
    result_.steps = state_.step;
    result_.tokens = state_.step * TokensPerStep();
    if (stepping_seconds_ > 0) {
      result_.tokens_per_second =
          static_cast<double>((state_.step - result_.resumed_from) * TokensPerStep()) / stepping_seconds_;
    }
    return absl::OkStatus();
  }

  // Evaluates, logs and saves where it is time.
  absl::Status AfterStep(MetricsRow* row, Progress* progress) {
    const bool last = state_.step == config_.max_steps();
    auto due = [&](int64_t every) { return every > 0 && state_.step % every == 0; };
    bool improved = false;
    if (last || due(config_.eval_steps())) {
      RETURN_IF_ERROR(Evaluate(row, &improved));
    }
    ++steps_since_row_;
    row->step = state_.step;
    row->tokens = state_.step * TokensPerStep();
    const double seconds = std::max(stepping_seconds_ - seconds_at_row_, 1e-9);
    row->tokens_per_second = static_cast<double>(steps_since_row_ * TokensPerStep()) / seconds;
    progress->Update(state_.step, Note(*row));
    if (last || row->eval_loss || state_.step == 1 || due(config_.logging_steps())) {
      RETURN_IF_ERROR(metrics_->Append(*row));
      if (tensorboard_) RETURN_IF_ERROR(tensorboard_->Append(*row));
      steps_since_row_ = 0;
      seconds_at_row_ = stepping_seconds_;
    }
    if (last || improved || due(config_.save_steps()) || Interrupted()) return Save();
    return absl::OkStatus();
  }

  std::string Note(const MetricsRow& row) const {
    std::string note = absl::StrFormat("loss %.3f", row.loss);
    if (state_.best_step > 0) absl::StrAppendFormat(&note, ", best eval %.3f", state_.best_eval_loss);
    absl::StrAppendFormat(&note, ", %s tok/s", FormatCount(static_cast<int64_t>(row.tokens_per_second)));
    return note;
  }

  absl::Status Evaluate(MetricsRow* row, bool* improved) {
    const double loss = evaluation_->Loss(*model_);
    if (!std::isfinite(loss)) return Diverged(state_.step, absl::StrCat("validation loss ", loss));
    row->eval_loss = loss;
    *improved = loss < state_.best_eval_loss;
    if (*improved) {
      state_.best_eval_loss = loss;
      state_.best_step = state_.step;
    }
    LOG(INFO) << "step " << state_.step << ": " << DescribeLoss(loss) << (*improved ? ", the best so far" : "");
    return absl::OkStatus();
  }

  absl::Status Save() {
    RETURN_IF_ERROR(metrics_->Sync());
    if (tensorboard_) RETURN_IF_ERROR(tensorboard_->Sync());
    RETURN_IF_ERROR(SaveCheckpoint(config_.output_dir(), *model_, *step_, state_));
    saved_step_ = state_.step;
    return PruneCheckpoints();
  }

  // Kept: those at save_steps (the newest save_total_limit of them), the two newest, and the best as seen from either
  // of these two, so that one damaged folder never ends a run.
  absl::Status PruneCheckpoints() {
    ASSIGN_OR_RETURN(std::vector<int64_t> steps, ListCheckpoints(config_.output_dir()));
    std::set<int64_t> keep = {state_.step, state_.best_step, previous_step_, previous_best_};
    int64_t regular = 0;
    for (size_t i = steps.size(); i-- > 0;) {
      if (config_.save_steps() == 0 || steps[i] % config_.save_steps() != 0 || steps[i] > state_.step) continue;
      if (config_.save_total_limit() == 0 || ++regular <= config_.save_total_limit()) keep.insert(steps[i]);
    }
    previous_step_ = state_.step;
    previous_best_ = state_.best_step;
    return RemoveCheckpoints(config_.output_dir(), keep);
  }

  absl::Status Diverged(int64_t step, const std::string& what) const {
    return absl::FailedPreconditionError(
        absl::StrCat("step ", step, ": ", what, ": training has diverged. Lower --learning_rate, or lengthen ",
                     "--warmup_steps, and start again; the checkpoints before it are whole, and "
                     "--resume_from_checkpoint goes on from one with other settings"));
  }

  absl::Status PromoteBest() {
    if (state_.best_step == 0) return absl::OkStatus();
    if (state_.best_step != state_.step) {
      ASSIGN_OR_RETURN(Checkpoint best, OpenCheckpoint(CheckpointPath(config_.output_dir(), state_.best_step)));
      RETURN_IF_ERROR(LoadWeights(*model_, best.path));
    }
    result_.initial_eval_loss = state_.initial_eval_loss;
    result_.best_eval_loss = state_.best_eval_loss;
    result_.best_step = state_.best_step;
    result_.best_bits_per_byte = BitsPerByte(state_.best_eval_loss);
    Json run;
    run["inputs"] = inputs_;
    run["steps"] = state_.step;
    run["tokens"] = state_.step * TokensPerStep();
    run["parameters"] = result_.parameters;
    run["initial_eval_loss"] = state_.initial_eval_loss;
    run["best"] = {{"step", state_.best_step}, {"eval_loss", state_.best_eval_loss}};
    RETURN_IF_ERROR(Promote(config_.output_dir(), *model_, std::move(run)));
    LOG(INFO) << "the model of step " << state_.best_step << " is in " << config_.output_dir() << ": "
              << DescribeLoss(state_.best_eval_loss);
    return absl::OkStatus();
  }

  absl::Status Stopped() const {
    return absl::CancelledError(absl::StrCat("interrupted at step ", state_.step, " of ", config_.max_steps(),
                                             "; saved as ", CheckpointPath(config_.output_dir(), state_.step),
                                             ". Go on with --resume_from_checkpoint auto"));
  }

  TrainConfig config_;  // resolved from PrepareTexts on
  TextFile train_text_, validation_text_;
  std::optional<OutputFolder> folder_;
  std::optional<Checkpoint> checkpoint_;  // to go on from
  std::optional<RunTokenizer> tokenizer_;
  TextTokens train_, validation_;
  ModelConfig model_config_;
  std::unique_ptr<LanguageModel> model_;
  std::unique_ptr<TrainStep> step_;
  std::unique_ptr<Evaluation> evaluation_;
  std::optional<std::string> smoke_;
  Json inputs_;
  std::optional<MetricsLog> metrics_;
  std::optional<TensorBoardLog> tensorboard_;
  TrainerState state_;
  int64_t saved_step_ = 0, previous_step_ = 0, previous_best_ = 0;
  double stepping_seconds_ = 0, seconds_at_row_ = 0;
  int64_t steps_since_row_ = 0;
  TrainResult result_;
};

}  // namespace

absl::StatusOr<TrainResult> Train(const TrainConfig& config) {
  RETURN_IF_ERROR(CheckTrainConfig(config));
  return TrainingRun(config).Run();
}

}  // namespace quern
