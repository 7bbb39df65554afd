#include "eval/evaluate.h"

#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/lineage.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "data/tokenizer/tokenizer.h"
#include "eval/eval_text.h"
#include "eval/input_file.h"
#include "eval/perplexity.h"
#include "eval/predict.h"
#include "eval/report.h"
#include "eval/rouge.h"
#include "eval/speed.h"
#include "eval/units.h"
#include "nn/model_folder.h"

namespace quern {
namespace {

absl::Status Refuse(std::string_view why) { return absl::InvalidArgumentError(std::string(why)); }

std::string OutputPath(const EvalOptions& options) {
  if (!options.output_file.empty() || options.model_name.empty()) return options.output_file;
  return JoinPath(options.model_name, "quern/eval.json");
}

bool NeedsModel(const EvalOptions& options) {
  return !options.test_file.empty() || !options.prompts_file.empty() || options.speed;
}

bool SameFile(const std::string& a, const std::string& b) {
  std::error_code error;
  return std::filesystem::weakly_canonical(a, error) == std::filesystem::weakly_canonical(b, error) && !error;
}

absl::Status CheckOutput(const EvalOptions& options) {
  const std::string output = OutputPath(options);
  if (output.empty()) return absl::OkStatus();
  // Said now, not after the work.
  if (IsFolder(output)) return Refuse(absl::StrCat("output_file ", output, " is a folder; name a file"));
  if (!options.output_file.empty() && !IsFolder(Dirname(output))) {
    return absl::NotFoundError(absl::StrCat("output_file ", output, ": there is no folder ", Dirname(output)));
  }
  std::vector<std::string> inputs = {options.test_file, options.prompts_file, options.predictions_file,
                                     options.references_file};
  if (absl::StatusOr<std::vector<std::string>> files = ModelFiles(options.model_name); files.ok()) {
    for (const std::string& name : *files) inputs.push_back(JoinPath(options.model_name, name));
  }
  for (const std::string& input : inputs) {
    if (input.empty() || !SameFile(input, output)) continue;
    return Refuse(absl::StrCat("output_file ", output, " is an input; name another file"));
  }
  return absl::OkStatus();
}

Json RougeToJson(const RougeScore& score) {
  return {{"precision", score.precision}, {"recall", score.recall}, {"fmeasure", score.fmeasure}};
}

// One evaluation: inputs are read first, so that what cannot be read is said before the work.
class Evaluation {
 public:
  explicit Evaluation(const EvalOptions& options)
      : options_(options),
        output_(OutputPath(options)),
        report_folder_(output_.empty() ? "." : Dirname(output_)),
        report_(NewArtefact("eval")) {
    for (const char* section : {"metrics", "counts", "settings", "inputs", "units"}) report_[section] = Json::object();
  }

  absl::StatusOr<Json> Run(const SpeedProbe& probe) {
    RETURN_IF_ERROR(ReadInputs());
    if (NeedsModel(options_)) {
      ASSIGN_OR_RETURN(model_, LoadModel(options_.model_name));
      if (test_.has_value() || prompts_.has_value()) {
        ASSIGN_OR_RETURN(tokenizer_, Tokenizer::Load(options_.model_name));
      }
    }
    if (test_.has_value()) RETURN_IF_ERROR(EvaluateText());
    if (references_.has_value()) RETURN_IF_ERROR(EvaluateRouge());
    if (options_.speed) RETURN_IF_ERROR(EvaluateSpeed(probe));
    if (output_.empty()) return report_;
    if (options_.output_file.empty()) RETURN_IF_ERROR(MakeFolders(report_folder_));
    return WriteReport(output_, report_);
  }

 private:
  absl::Status ReadInputs() {
    if (!options_.model_name.empty()) {
      ASSIGN_OR_RETURN(report_["inputs"], DescribeModel(options_.model_name, report_folder_));
    }
    RETURN_IF_ERROR(ReadInput("test", options_.test_file, test_));
    RETURN_IF_ERROR(ReadInput("prompts", options_.prompts_file, prompts_));
    RETURN_IF_ERROR(ReadInput("predictions", options_.predictions_file, predictions_));
    RETURN_IF_ERROR(ReadInput("references", options_.references_file, references_));
    return absl::OkStatus();
  }

  absl::Status ReadInput(const char* role, const std::string& path, std::optional<InputFile>& file) {
    if (path.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(file, ReadInputFile(path, report_folder_));
    report_["inputs"][role] = file->entry;
    return absl::OkStatus();
  }

  absl::Status EvaluateText() {
    const PerplexityOptions how = {options_.mode, options_.context, options_.stride};
    ASSIGN_OR_RETURN(const EvalText text, EncodeEvalText(*tokenizer_, test_->bytes, options_.test_file));
    absl::StatusOr<Perplexity> result = MeasurePerplexity(*model_, *tokenizer_, text, how);
    if (!result.ok()) {
      return absl::Status(result.status().code(), absl::StrCat(options_.test_file, ": ", result.status().message()));
    }
    if (!std::isfinite(result->nats)) {
      LOG(WARNING) << options_.model_name << " gives log-probabilities that are no numbers; the metrics are null";
    }
    report_["metrics"].update({{"loss", result->loss()},
                               {"perplexity", result->perplexity()},
                               {"word_perplexity", result->word_perplexity()},
                               {"byte_perplexity", result->byte_perplexity()},
                               {"bits_per_byte", result->bits_per_byte()}});
    report_["counts"].update({{"tokens", result->tokens}, {"words", result->words}, {"bytes", result->bytes}});
    report_["sum_logprob"] = -result->nats;
    report_["units"]["bits_per_byte"] = result->stretches;
    report_["settings"]["text"] = {{"mode", std::string(Name(result->mode))},
                                   {"context", result->context},
                                   {"stride", result->stride},
                                   {"first_token", result->first_token}};
    return absl::OkStatus();
  }

  absl::Status EvaluateRouge() {
    Json settings = {{"stemmer", std::string(Name(options_.stemmer))}};
    ASSIGN_OR_RETURN(const std::vector<std::string> references, RecordsOf(*references_, options_.references_file));
    const std::string& path = prompts_.has_value() ? options_.prompts_file : options_.predictions_file;
    ASSIGN_OR_RETURN(std::vector<std::string> predictions, RecordsOf(prompts_ ? *prompts_ : *predictions_, path));
    if (predictions.size() != references.size()) {
      return Refuse(absl::StrCat(path, " has ", predictions.size(), " records, ", options_.references_file, " ",
                                 references.size(), "; they are compared one by one, so both need the same number"));
    }
    if (prompts_.has_value()) {
      absl::StatusOr<Predictions> made = Predict(*model_, *tokenizer_, predictions, options_.max_new_tokens);
      if (!made.ok()) return absl::Status(made.status().code(), absl::StrCat(path, ": ", made.status().message()));
      if (made->truncated_prompts > 0) {
        LOG(WARNING) << path << ": " << made->truncated_prompts << " prompts are longer than the model's context "
                     << "allows; their beginning was left out";
      }
      report_["counts"]["truncated_prompts"] = made->truncated_prompts;
      settings["max_new_tokens"] = made->max_new_tokens;
      predictions = std::move(made->texts);
    }
    ASSIGN_OR_RETURN(const std::vector<RougeScores> records, RougeOfRecords(references, predictions, options_.stemmer));
    const RougeScores scores = MeanRouge(records);
    report_["metrics"].update({{"rouge1", RougeToJson(scores.rouge1)},
                               {"rouge2", RougeToJson(scores.rouge2)},
                               {"rougeL", RougeToJson(scores.rougeL)},
                               {"rougeLsum", RougeToJson(scores.rougeLsum)}});
    for (const auto& [name, score] : {std::pair<const char*, RougeScore RougeScores::*>{"rouge1", &RougeScores::rouge1},
                                      {"rouge2", &RougeScores::rouge2},
                                      {"rougeL", &RougeScores::rougeL},
                                      {"rougeLsum", &RougeScores::rougeLsum}}) {
      std::vector<double> values;
      for (const RougeScores& record : records) values.push_back((record.*score).fmeasure);
      report_["units"][name] = UnitMeans(values);
    }
    report_["counts"]["rouge_records"] = references.size();
    report_["settings"]["rouge"] = std::move(settings);
    return absl::OkStatus();
  }

  absl::Status EvaluateSpeed(const SpeedProbe& probe) {
    ASSIGN_OR_RETURN(const Speed speed, MeasureSpeed(*model_, probe ? probe : GenerateProbe(model_.get())));
    report_["metrics"]["speed"] = {{"time_to_first_token", speed.time_to_first_token},
                                   {"prefill_tokens_per_second", speed.prefill_tokens_per_second},
                                   {"decode_tokens_per_second", speed.decode_tokens_per_second}};
    report_["settings"]["speed"] = {{"prompt_tokens", speed.prompt_tokens},
                                    {"new_tokens", speed.new_tokens},
                                    {"samples", speed.samples},
                                    {"engine", probe ? "serving" : "decode"}};
    return absl::OkStatus();
  }

  const EvalOptions& options_;
  const std::string output_, report_folder_;
  Json report_;
  std::optional<InputFile> test_, prompts_, predictions_, references_;
  std::unique_ptr<LanguageModel> model_;
  std::optional<Tokenizer> tokenizer_;
};

}  // namespace

absl::Status CheckEvalOptions(const EvalOptions& options) {
  const bool rouge = !options.prompts_file.empty() || !options.predictions_file.empty();
  if (!NeedsModel(options) && !rouge && options.references_file.empty()) {
    return Refuse("nothing to evaluate: name --test_file, --prompts_file or --predictions_file, or --speed");
  }
  if (!options.prompts_file.empty() && !options.predictions_file.empty()) {
    return Refuse("--prompts_file and --predictions_file: predictions are either made or given; name one of them");
  }
  if (rouge && options.references_file.empty()) {
    return Refuse("--references_file is missing: what should the predictions be compared with?");
  }
  if (!rouge && !options.references_file.empty()) {
    return Refuse("--references_file needs --prompts_file or --predictions_file");
  }
  if (NeedsModel(options) && options.model_name.empty()) {
    return Refuse("--model_name is missing: which model should be evaluated?");
  }
  if (options.stride != 0 && options.mode != PerplexityMode::kStrided) {
    return Refuse("--stride belongs to --mode strided");
  }
  if (options.stride < 0) return Refuse("--stride: a number of tokens from 1 to the context");
  if (options.context < 0) return Refuse("--context: a number of tokens from 1 to the model's positions");
  if (options.max_new_tokens < 1) return Refuse("--max_new_tokens: at least 1");
  return absl::OkStatus();
}

absl::StatusOr<Json> Evaluate(const EvalOptions& options, const SpeedProbe& probe) {
  RETURN_IF_ERROR(CheckEvalOptions(options));
  RETURN_IF_ERROR(CheckOutput(options));
  return Evaluation(options).Run(probe);
}

}  // namespace quern
