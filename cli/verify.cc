// quern verify
#include "base/json.h"
#include "base/lineage.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "eval/text_report.h"

namespace quern::cli {
namespace {

class VerifyCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.AddPositional("model_name", &model_name_, "M", "a model folder; the flag's name may be left out").Required();
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    ASSIGN_OR_RETURN(const std::vector<LineageLink> links, WalkLineage(model_name_));
    const Json report = LineageToJson(links);
    RETURN_IF_ERROR(Print(global.json ? WriteJson(report) : FormatLineage(links)));
    return report["ok"] == true ? kDone : kNegativeVerdict;
  }

 private:
  std::string model_name_;
};

}  // namespace

extern const Verb kVerify;
const Verb kVerify = {
    .name = "verify",
    .summary = "walk the chain of digests from the raw text to the verdict",
    .usage = "M [--json]",
    .details = R"(Recomputes the SHA-256 of every file that M's verdict, report, run, tokenizer and data name, the raw
source included. Exit status 0 when all hold, 1 when a file is changed or missing.)",
    .examples = R"(quern verify artifacts/book
quern verify artifacts/book --json)",
    .make = Make<VerifyCommand>,
};

}  // namespace quern::cli
