// quern compare
#include "eval/compare.h"

#include "base/json.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "eval/text_report.h"

namespace quern::cli {
namespace {

class CompareCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.AddPositional("run", &options_.runs, "RUN", "model folders, or reports; the first is the baseline")
        .Required();
    flags.Add("confidence", &options_.confidence, "X", "of the intervals; 1 - X is the level of the tests")
        .Range(0.5, 0.9999);
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    if (options_.runs.size() < 2) return UsageError("name two runs at least: quern compare BASELINE RUN");
    options_.seed = global.seed;
    ASSIGN_OR_RETURN(const Comparison comparison, CompareRuns(options_));
    RETURN_IF_ERROR(Print(global.json ? WriteJson(ComparisonToJson(comparison)) : FormatComparison(comparison)));
    return comparison.Count(CompareVerdict::kWorse) > 0 ? kNegativeVerdict : kDone;
  }

 private:
  CompareOptions options_;
};

}  // namespace

extern const Verb kCompare;
const Verb kCompare = {
    .name = "compare",
    .summary = "whether runs differ by more than chance",
    .usage = "BASELINE RUN [RUN…] [--confidence 0.95] [--json]",
    .details =
        R"(Holds the reports of runs (M/quern/eval.json, by `quern eval`) against that of the first. Bits per byte
and ROUGE are tested part by part of the same test file, so that what is hard in it for both does not count; p-values
are adjusted for their number. Exit status 1 when a run is significantly worse in any of them.)",
    .examples = R"(quern compare artifacts/book artifacts/book-wider
quern compare nightly/monday nightly/tuesday nightly/wednesday --confidence 0.99 --json)",
    .make = Make<CompareCommand>,
};

}  // namespace quern::cli
