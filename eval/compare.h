// `quern compare`: are the reports of two or more runs different by more than chance?
//
// The first run is the baseline. A metric is tested where both reports have it in units (eval/units.h) of the same
// inputs: bits_per_byte of the same test file, ROUGE of the same references. Those tests are the claim: their p-values
// are adjusted together (eval/paired.h), and a run regresses where a metric is worse at the level asked for. All other
// metrics that both have are shown and judge nothing.
#ifndef QUERN_EVAL_COMPARE_H_
#define QUERN_EVAL_COMPARE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/json.h"
#include "eval/paired.h"

namespace quern {

struct CompareOptions {
  std::vector<std::string> runs;  // model folders (their quern/eval.json) or reports; two at least
  double confidence = 0.95;       // of the intervals; 1 - confidence is the level of the tests
  uint64_t seed = 0;              // of the resampling
};

enum class CompareVerdict { kSame, kBetter, kWorse, kNotTested };
std::string_view Name(CompareVerdict verdict);  // "no significant difference", "better", "worse", "not tested"

struct CompareRow {
  std::string metric;  // "bits_per_byte", "rouge1.fmeasure"
  size_t run = 0;      // index into runs; from 1
  double baseline = 0, value = 0;
  std::optional<PairedTest> test;
  double p_adjusted = 1;
  CompareVerdict verdict = CompareVerdict::kNotTested;
  std::string why_not;  // where not tested although it might have been
};

struct Comparison {
  std::vector<std::string> runs;
  double confidence = 0.95;
  std::vector<CompareRow> rows;  // run by run; what is tested first

  int64_t Count(CompareVerdict verdict) const;
};

// NotFound: a run without a report (says which command makes one). InvalidArgument: a malformed report; reports that
// have nothing in common.
absl::StatusOr<Comparison> CompareRuns(const CompareOptions& options);

}  // namespace quern

#endif  // QUERN_EVAL_COMPARE_H_
