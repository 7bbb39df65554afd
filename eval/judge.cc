#include "eval/judge.h"

#include <cmath>
#include <map>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/suggest.h"
#include "eval/report.h"

namespace quern {
namespace {

const Json& Member(const Json& object, std::string_view name) {
  static const Json none = Json(Json::value_t::discarded);
  if (!object.is_object()) return none;
  auto it = object.find(std::string(name));
  return it == object.end() ? none : *it;
}

// The value that `metric` names; discarded where there is none.
const Json& Find(const Json& report, const std::string& metric) {
  const Json* at = &Member(report, "metrics");
  std::string_view rest = metric;
  constexpr std::string_view kCounts = "counts.";
  if (rest.substr(0, kCounts.size()) == kCounts) at = &report;
  while (true) {
    const size_t dot = rest.find('.');
    at = &Member(*at, rest.substr(0, dot));
    if (dot == std::string_view::npos) return *at;
    rest.remove_prefix(dot + 1);
  }
}

// The names that a check may use: the leaves, with dots.
void ListNames(const Json& object, const std::string& prefix, std::vector<std::string>& names) {
  if (!object.is_object() || prefix.size() > 100) return;
  for (const auto& item : object.items()) {
    const std::string name = prefix + item.key();
    if (item.value().is_object()) {
      ListNames(item.value(), name + ".", names);
    } else {
      names.push_back(name);
    }
  }
}

std::string Missing(const Json& report, const std::string& metric) {
  std::vector<std::string> names;
  ListNames(Member(report, "metrics"), "", names);
  ListNames(Member(report, "counts"), "counts.", names);
  if (names.empty()) return "the report has no metrics";
  const std::string near = DidYouMean(metric, names);
  return absl::StrCat("the report has no metric of this name.",
                      near.empty() ? absl::StrCat(" It has ", absl::StrJoin(names, ", "), ".") : near);
}

// The shortest text that reads back as the same number.
std::string Exactly(double value) { return WriteJsonLine(Json(value)); }

// Why the value does not pass; "" when it does.
std::string CheckValue(const Json& report, const std::string& metric, GateRow& row) {
  const Json& value = Find(report, metric);
  if (value.is_discarded()) return Missing(report, metric);
  if (value.is_null()) return "it is null in the report: not a finite number";
  if (value.is_object()) {
    std::vector<std::string> names;
    ListNames(value, metric + ".", names);
    return absl::StrCat("it holds several numbers; name one of ", absl::StrJoin(names, ", "));
  }
  if (!value.is_number() || !std::isfinite(value.get<double>())) return "it is not a finite number in the report";
  row.value = value.get<double>();
  if (row.min.has_value() && !(*row.value >= *row.min)) {
    return absl::StrCat(Exactly(*row.value), " is below the least allowed, ", Exactly(*row.min));
  }
  if (row.max.has_value() && !(*row.value <= *row.max)) {
    return absl::StrCat(Exactly(*row.value), " is above the most allowed, ", Exactly(*row.max));
  }
  return "";
}

GateRow JudgeCheck(const GateCheck& check, const Json& report) {
  GateRow row;
  row.metric = check.metric();
  if (check.has_min()) row.min = check.min();
  if (check.has_max()) row.max = check.max();
  const bool finite = std::isfinite(check.min()) && std::isfinite(check.max());
  if (check.metric().empty()) {
    row.problem = "the check names no metric";
  } else if (!check.has_min() && !check.has_max()) {
    row.problem = "the check has no threshold; give min, max or both";
  } else if (!finite) {
    row.problem = "the check's threshold is not a finite number";
  } else {
    row.problem = CheckValue(report, check.metric(), row);
  }
  row.passed = row.problem.empty();
  return row;
}

GateRow Failure(std::string test, std::string problem) {
  GateRow row;
  row.test = std::move(test);
  row.problem = std::move(problem);
  return row;
}

// A test is called by its metric; by its place as well where two would have the same name.
void NameRows(std::vector<GateRow>& rows) {
  std::map<std::string, int> uses;
  for (const GateRow& row : rows) ++uses[row.metric];
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string& metric = rows[i].metric;
    const bool plain = !metric.empty() && metric != "policy" && metric != "report" && uses[metric] == 1;
    rows[i].test = plain ? metric : absl::StrCat(metric.empty() ? "check" : metric, " #", i + 1);
  }
}

// Reports of other tools may record the weights alone.
std::string MadeOnAnother(const Json& inputs, const Json& model) {
  for (const char* role : kModelRoles) {
    const Json recorded = DigestsOf(inputs, role);
    if (recorded.is_null() && std::string_view(role) != "model") continue;
    if (recorded.is_null()) return "it does not say by digest (inputs.model.sha256) which weights it is about";
    if (recorded != DigestsOf(model, role)) return absl::StrCat("it was made on another ", role, "; run quern eval");
  }
  return "";
}

}  // namespace

std::vector<GateRow> Judge(const GatePolicy& policy, const Json& report, const Json& model) {
  std::vector<GateRow> checks, rows;
  for (const GateCheck& check : policy.check()) checks.push_back(JudgeCheck(check, report));
  NameRows(checks);
  if (checks.empty()) rows.push_back(Failure("policy", "the policy checks nothing"));
  const std::string another = MadeOnAnother(Member(report, "inputs"), model);
  if (!another.empty()) rows.push_back(Failure("report", another));
  rows.insert(rows.end(), checks.begin(), checks.end());
  return rows;
}

}  // namespace quern
