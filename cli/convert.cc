// quern convert
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lineage.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/import/llama2c.h"
#include "nn/model_folder.h"

namespace quern::cli {
namespace {

// By name: what is to be written need not be there yet.
std::string_view Form(const std::string& path) {
  if (absl::EndsWithIgnoreCase(path, ".gguf")) return "GGUF";
  if (absl::EndsWithIgnoreCase(path, ".bin")) return "llama2.c .bin";
  return "model folder";
}

class ConvertCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.Add("input", &input_, "P", "a checkpoint of llama2.c (.bin)").Required();
    flags.Add("output", &output_, "P", "the model folder to make").Required();
    flags.Add("tokenizer", &tokenizer_, "P", "its tokenizer: tok512.bin, tokenizer.bin, a tokenizer.json");
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    RETURN_IF_ERROR(CheckDirection());
    ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model, ImportLlama2c(input_));
    std::optional<Tokenizer> tokenizer;
    if (!tokenizer_.empty()) {
      ASSIGN_OR_RETURN(tokenizer, Tokenizer::Load(tokenizer_));
      if (tokenizer->vocab_size() > model->vocab_size()) {
        return absl::InvalidArgumentError(absl::StrCat(tokenizer_, " has ", tokenizer->vocab_size(), " ids, ", input_,
                                                       " only ", model->vocab_size(), "; they do not belong together"));
      }
    }
    RETURN_IF_ERROR(Write(*model, tokenizer));
    RETURN_IF_ERROR(Print(global.json ? WriteJson(Report(*model, tokenizer)) : AsText(*model, tokenizer)));
    return kDone;
  }

 private:
  absl::Status CheckDirection() const {
    const std::string_view from = IsFolder(input_) ? "model folder" : Form(input_), to = Form(output_);
    // A file of any other name is judged by what it holds.
    if (to == "model folder" && from != "GGUF" && !IsFolder(input_)) return absl::OkStatus();
    return absl::UnimplementedError(absl::StrCat(
        "converting ", input_, " (", std::string(from), ") to ", output_, " (", std::string(to),
        ") is not supported. What is: a checkpoint of llama2.c (--input X.bin) to a model folder (--output FOLDER)"));
  }

  absl::Status Write(LanguageModel& model, const std::optional<Tokenizer>& tokenizer) const {
    // What was read is what is recorded.
    Json run, inputs;
    const std::string recorder = JoinPath(output_, "quern");
    ASSIGN_OR_RETURN(inputs["checkpoint"], DescribeFile(input_, recorder));
    if (tokenizer.has_value()) {
      const std::string file = IsFolder(tokenizer_) ? JoinPath(tokenizer_, "tokenizer.json") : tokenizer_;
      ASSIGN_OR_RETURN(inputs["tokenizer"], DescribeFile(file, recorder));
    }
    run["inputs"] = std::move(inputs);
    run["parameters"] = model.CountParameters();
    if (const std::string parent = Dirname(output_); !parent.empty()) RETURN_IF_ERROR(MakeFolders(parent));
    ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(output_));
    RETURN_IF_ERROR(SaveModel(model, folder.staging()));
    if (tokenizer.has_value()) RETURN_IF_ERROR(tokenizer->Save(JoinPath(folder.staging(), "tokenizer.json")));
    RETURN_IF_ERROR(WriteRun(folder.staging(), std::move(run)));
    return folder.Commit();
  }

  static Json Report(LanguageModel& model, const std::optional<Tokenizer>& tokenizer) {
    return {{"parameters", model.CountParameters()},
            {"vocab_size", model.vocab_size()},
            {"max_positions", model.max_positions()},
            {"tokenizer_ids", tokenizer.has_value() ? Json(tokenizer->vocab_size()) : Json()}};
  }

  std::string AsText(LanguageModel& model, const std::optional<Tokenizer>& tokenizer) const {
    return absl::StrFormat("%-12s %s\n%-12s %s\n%-12s %s\n%-12s %s\n", "model", output_, "parameters",
                           FormatCount(model.CountParameters()), "context",
                           absl::StrCat(FormatCount(model.max_positions()), " tokens"), "tokenizer",
                           tokenizer.has_value() ? absl::StrCat(FormatCount(tokenizer->vocab_size()), " ids")
                                                 : "none; give token ids, or convert again with --tokenizer P");
  }

  std::string input_, output_, tokenizer_;
};

}  // namespace

extern const Verb kConvert;
const Verb kConvert = {
    .name = "convert",
    .summary = "weights of other programs to a model folder",
    .usage = "--input X.bin --output FOLDER [--tokenizer P]",
    .details =
        R"(Reads a checkpoint of llama2.c (versions 0 and 1, weights in f32) and writes a model folder in Hugging Face
layout, whole or not at all. With --tokenizer the folder gets a tokenizer.json. quern/run.json records what
it was made from; it has no verdict, so `quern serve` wants `quern gate` first, or --allow_unverified.)",
    .examples = R"(quern convert --input stories260K.bin --tokenizer tok512.bin --output artifacts/stories260K
quern convert --input stories15M.bin --tokenizer tokenizer.bin --output artifacts/stories15M --json)",
    .make = Make<ConvertCommand>,
};

}  // namespace quern::cli
