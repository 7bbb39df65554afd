// quern eval
#include "base/json.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "eval/evaluate.h"
#include "eval/text_report.h"

namespace quern::cli {
namespace {

class EvalCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.Add("model_name", &options_.model_name, "M", "a model folder; only --predictions_file does without");
    flags.Add("test_file", &options_.test_file, "F", "held-out text: loss, perplexity, bits per byte");
    flags.Add("mode", &mode_, "MODE", "how a long text is cut").Choices({"token", "rolling", "strided"});
    flags.Add("stride", &options_.stride, "N", "tokens between windows (strided); 0: half the context")
        .Range(0, 1 << 30);
    flags.Add("context", &options_.context, "N", "tokens that the model reads at most; 0: all its positions")
        .Range(0, 1 << 30);
    flags.Add("prompts_file", &options_.prompts_file, "P", "prompts, a record a line; answered greedily");
    flags.Add("predictions_file", &options_.predictions_file, "P", "answers, made elsewhere");
    flags.Add("references_file", &options_.references_file, "R", "right answers, for ROUGE");
    flags.Add("stemmer", &stemmer_, "NAME", "of ROUGE's words").Choices({"none", "porter"});
    flags.Add("max_new_tokens", &options_.max_new_tokens, "N", "tokens per answer at most").Range(1, 1 << 30);
    flags.Add("speed", &options_.speed, "", "measure tokens per second, too");
    flags.Add("output_file", &options_.output_file, "J", "the report").Default("M/quern/eval.json");
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    ASSIGN_OR_RETURN(options_.mode, ParsePerplexityMode(mode_));
    ASSIGN_OR_RETURN(options_.stemmer, ParseStemmer(stemmer_));
    RETURN_IF_ERROR(AsUsageError(CheckEvalOptions(options_)));
    ASSIGN_OR_RETURN(const Json report, Evaluate(options_));
    RETURN_IF_ERROR(Print(global.json ? WriteJson(report) : FormatEvaluation(report)));
    return kDone;
  }

 private:
  EvalOptions options_;
  std::string mode_ = "token", stemmer_ = "none";
};

}  // namespace

extern const Verb kEval;
const Verb kEval = {
    .name = "eval",
    .summary = "measure a model: perplexity, bits per byte, ROUGE, speed",
    .usage = "--model_name M --test_file F [flags]",
    .details =
        R"(Writes a report that `quern gate` judges, by default M/quern/eval.json; what earlier evaluations of the
same weights found is kept. bits_per_byte counts the bytes of the file, newlines included.)",
    .examples = R"(quern eval --model_name artifacts/book --test_file data/book/test.txt
quern eval --model_name gpt2 --test_file wiki.txt --mode strided --stride 512 --json
quern eval --model_name artifacts/book --prompts_file questions.txt --references_file answers.txt
quern eval --predictions_file mine.jsonl --references_file right.jsonl --stemmer porter)",
    .make = Make<EvalCommand>,
};

}  // namespace quern::cli
