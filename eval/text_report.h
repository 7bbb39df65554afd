// What `quern eval`, `gate`, `compare` and `verify` print for people. Plain text, columns aligned, final newline.
#ifndef QUERN_EVAL_TEXT_REPORT_H_
#define QUERN_EVAL_TEXT_REPORT_H_

#include <string>
#include <vector>

#include "base/json.h"
#include "base/lineage.h"
#include "eval/compare.h"
#include "eval/gate.h"

namespace quern {

// A report of Evaluate: metrics, counts, settings.
std::string FormatEvaluation(const Json& report);

// A row per check (metric, value, threshold, PASSED or FAILED and why), then the verdict.
std::string FormatGate(const GateResult& result);
// {passed, result, tests[{test, metric, value, min, max, passed, problem}], verdict, card}.
Json GateToJson(const GateResult& result);

// A row per metric of each run: values, difference, interval, adjusted p, verdict; then the sum.
std::string FormatComparison(const Comparison& comparison);
// {runs[], confidence, rows[{metric, run, baseline, value, difference, interval, p, p_adjusted, detectable, verdict,
// why_not}], better, worse}; what was not tested has null for interval, p and detectable.
Json ComparisonToJson(const Comparison& comparison);

// A row per link of the chain, broken ones with their problem, then the sum.
std::string FormatLineage(const std::vector<LineageLink>& links);
// {ok, checked, broken[{file, role, recorded_by, expected, actual, problem}]}; ok when nothing is broken and something
// was checked.
Json LineageToJson(const std::vector<LineageLink>& links);

}  // namespace quern

#endif  // QUERN_EVAL_TEXT_REPORT_H_
