// `quern gate`: a policy's thresholds against a report, written as a verdict that serve obeys.
//
// The policy is protobuf text (eval/gate_policy.proto) and the whole list of what is checked:
//   check { metric: "loss" max: 6.0 }
//   check { metric: "rougeL.fmeasure" min: 0.3 }
// A metric is a name in the report's `metrics`, with dots into objects, or "counts.NAME". A check passes when
// min <= value <= max; a threshold that is left out does not bind.
//
// Whatever cannot be judged FAILS: a metric that the report lacks, that is null, NaN or not a number; a check without
// metric or threshold, or with one that is not finite; a policy without checks; a report that does not record the
// digest of these weights, or that records another config or tokenizer.
#ifndef QUERN_EVAL_GATE_H_
#define QUERN_EVAL_GATE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quern {

struct GateOptions {
  std::string model_name;  // a model folder
  std::string policy;      // file
  std::string report;      // file; default M/quern/eval.json
};

struct GateRow {
  std::string test;  // as in passedTests and failedTests: the metric's name, and the check's number where two share it
  std::string metric;
  std::optional<double> value, min, max;
  bool passed = false;
  std::string problem;  // why it failed; empty when it passed
};

struct GateResult {
  bool passed = false;
  std::vector<GateRow> rows;
  std::string verdict_path, card_path;
};

// Writes M/quern/verdict.json, then the model card M/README.md (eval/model_card.h), atomically each. A FAILED verdict
// is a result, not an error. Errors (the verdict stays as it was): no model there, policy or report missing or
// malformed (InvalidArgument with file, line and column; a misspelt field suggests the right one), disk.
absl::StatusOr<GateResult> RunGate(const GateOptions& options);

}  // namespace quern

#endif  // QUERN_EVAL_GATE_H_
