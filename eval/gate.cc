#include "eval/gate.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/json.h"
#include "base/lineage.h"
#include "base/status_macros.h"
#include "eval/judge.h"
#include "eval/model_card.h"
#include "eval/policy_file.h"
#include "eval/report.h"

namespace quern {
namespace {

constexpr uint64_t kMaxPolicyBytes = uint64_t{1} << 20;
constexpr uint64_t kMaxReportBytes = uint64_t{64} << 20;

absl::StatusOr<Json> ReadReport(const std::string& path, bool is_default) {
  absl::StatusOr<std::string> text = ReadFile(path, kMaxReportBytes);
  if (absl::IsNotFound(text.status()) && is_default) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file; run quern eval first, or name a --report"));
  }
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(Json report, ParseJson(NullForNan(*text), path));
  if (!report.is_object() || !report.contains("metrics") || !report["metrics"].is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no report; it has no object \"metrics\""));
  }
  return report;
}

}  // namespace

absl::StatusOr<GateResult> RunGate(const GateOptions& options) {
  const std::string& folder = options.model_name;
  const std::string quern = JoinPath(folder, "quern");
  const std::string report_path = options.report.empty() ? JoinPath(quern, "eval.json") : options.report;
  ASSIGN_OR_RETURN(const Json model, DescribeModel(folder, quern));
  ASSIGN_OR_RETURN(const std::string policy_text, ReadFile(options.policy, kMaxPolicyBytes));
  ASSIGN_OR_RETURN(const GatePolicy policy, ParsePolicy(policy_text, options.policy));
  ASSIGN_OR_RETURN(const Json report, ReadReport(report_path, options.report.empty()));

  GateResult result;
  result.rows = Judge(policy, report, model);
  result.passed = std::all_of(result.rows.begin(), result.rows.end(), [](const GateRow& row) { return row.passed; });
  result.verdict_path = JoinPath(quern, "verdict.json");
  result.card_path = JoinPath(folder, "README.md");
  VerdictTests tests;
  for (const GateRow& row : result.rows) (row.passed ? tests.passed : tests.failed).push_back(row.test);
  RETURN_IF_ERROR(WriteVerdict(folder, tests, options.policy, report_path));
  RETURN_IF_ERROR(WriteModelCard(folder, result, report));
  return result;
}

}  // namespace quern
