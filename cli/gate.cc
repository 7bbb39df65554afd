// quern gate
#include "eval/gate.h"

#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "eval/text_report.h"

namespace quern::cli {
namespace {

class GateCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.Add("model_name", &options_.model_name, "M", "a model folder").Required();
    flags.Add("policy", &options_.policy, "F", "what is checked, as protobuf text").Required();
    flags.Add("report", &options_.report, "J", "what `quern eval` wrote").Default("M/quern/eval.json");
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    ASSIGN_OR_RETURN(const GateResult result, RunGate(options_));
    RETURN_IF_ERROR(Print(global.json ? WriteJson(GateToJson(result)) : FormatGate(result)));
    return result.passed ? kDone : kNegativeVerdict;
  }

 private:
  GateOptions options_;
};

}  // namespace

extern const Verb kGate;
const Verb kGate = {
    .name = "gate",
    .summary = "judge a report by a policy: verdict and model card",
    .usage = "--model_name M --policy F [--report J]",
    .details = R"(Writes M/quern/verdict.json, which `quern serve` obeys, and M/README.md, the model card. The policy is
the whole list of what is checked:
  check { metric: "loss" max: 6.0 }
  check { metric: "bits_per_byte" max: 2.0 }
A metric that the report lacks is FAILED. Exit status 0 for PASSED, 1 for FAILED.)",
    .examples = R"(quern gate --model_name artifacts/book --policy policy.txtpb)",
    .make = Make<GateCommand>,
};

}  // namespace quern::cli
