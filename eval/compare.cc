#include "eval/compare.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/lineage.h"
#include "base/status_macros.h"
#include "eval/report.h"
#include "eval/units.h"

namespace quern {
namespace {

// What is tested, and the inputs that both reports must share.
struct Tested {
  const char* metric;
  const char* units;
  std::vector<const char*> inputs;
};

const std::vector<Tested>& TestedMetrics() {
  static const auto* tested = new std::vector<Tested>{
      {"bits_per_byte", "bits_per_byte", {"test"}},
      {"rouge1.fmeasure", "rouge1", {"references", "prompts"}},
      {"rouge2.fmeasure", "rouge2", {"references", "prompts"}},
      {"rougeL.fmeasure", "rougeL", {"references", "prompts"}},
      {"rougeLsum.fmeasure", "rougeLsum", {"references", "prompts"}},
  };
  return *tested;
}

bool HigherIsBetter(std::string_view metric) {
  return metric.starts_with("rouge") || metric.ends_with("_per_second") || metric.starts_with("acc");
}

absl::StatusOr<Json> ReadReport(const std::string& run) {
  if (!IsFolder(run)) return ReadArtefact(run, "eval");
  const std::string path = JoinPath(run, "quern/eval.json");
  if (!FileExists(path)) {
    return absl::NotFoundError(absl::StrCat(run, " has no report (quern/eval.json); make one: quern eval --model_name ",
                                            run, " --test_file F"));
  }
  return ReadArtefact(path, "eval");
}

// All finite numbers of `metrics`, "rouge1.fmeasure" for nested ones.
std::map<std::string, double> Flatten(const Json& report) {
  std::map<std::string, double> flat;
  const auto put = [&flat](const std::string& name, const Json& value) {
    if (value.is_number() && std::isfinite(value.get<double>())) flat[name] = value.get<double>();
  };
  if (!report.contains("metrics") || !report["metrics"].is_object()) return flat;
  for (const auto& item : report["metrics"].items()) {
    put(item.key(), item.value());
    if (!item.value().is_object()) continue;
    for (const auto& inner : item.value().items()) put(absl::StrCat(item.key(), ".", inner.key()), inner.value());
  }
  return flat;
}

// Empty where a report has none, or not all of them are numbers.
std::vector<double> UnitsOf(const Json& report, const char* name) {
  std::vector<double> units;
  if (!report.contains("units") || !report["units"].is_object() || !report["units"].contains(name)) return units;
  const Json& values = report["units"][name];
  if (!values.is_array() || values.size() > static_cast<size_t>(kMostUnits)) return units;
  for (const Json& value : values) {
    if (!value.is_number()) return {};
    units.push_back(value.get<double>());
  }
  return units;
}

const Json& InputsOf(const Json& report) {
  static const auto* none = new Json(Json::object());
  return report.contains("inputs") ? report["inputs"] : *none;
}

// Fills in the test of `row`, or why there is none.
void Test(const Json& baseline, const Json& report, const Tested& tested, const CompareOptions& options,
          CompareRow& row) {
  for (const char* input : tested.inputs) {
    if (DigestsOf(InputsOf(baseline), input) == DigestsOf(InputsOf(report), input)) continue;
    row.why_not = absl::StrCat("measured on different ", input, " files");
    return;
  }
  const std::vector<double> a = UnitsOf(baseline, tested.units), b = UnitsOf(report, tested.units);
  if (a.empty() || a.size() != b.size()) {
    row.why_not = "a report lacks the parts to compare (units); run quern eval again";
    return;
  }
  row.test = ComparePaired(a, b, options.confidence, options.seed);
}

void AddRun(const Json& baseline, const Json& report, size_t run, const CompareOptions& options,
            std::vector<CompareRow>& rows) {
  std::map<std::string, double> before = Flatten(baseline);
  const std::map<std::string, double> now = Flatten(report);
  const auto row_of = [&](const std::string& metric) -> CompareRow* {
    if (before.count(metric) == 0 || now.count(metric) == 0) return nullptr;
    CompareRow row;
    row.metric = metric;
    row.run = run;
    row.baseline = before[metric];
    row.value = now.at(metric);
    before.erase(metric);
    return &rows.emplace_back(std::move(row));
  };
  for (const Tested& tested : TestedMetrics()) {
    if (CompareRow* row = row_of(tested.metric)) Test(baseline, report, tested, options, *row);
  }
  for (const auto& item : now) row_of(item.first);
}

void Judge(double level, std::vector<CompareRow>& rows) {
  std::vector<double> p;
  for (const CompareRow& row : rows) {
    if (row.test.has_value()) p.push_back(row.test->p);
  }
  const std::vector<double> adjusted = HolmAdjusted(p);
  size_t at = 0;
  for (CompareRow& row : rows) {
    if (!row.test.has_value()) continue;
    row.p_adjusted = adjusted[at++];
    const bool up = row.test->difference > 0;
    row.verdict = row.p_adjusted >= level            ? CompareVerdict::kSame
                  : up == HigherIsBetter(row.metric) ? CompareVerdict::kBetter
                                                     : CompareVerdict::kWorse;
  }
}

}  // namespace

std::string_view Name(CompareVerdict verdict) {
  switch (verdict) {
    case CompareVerdict::kSame:
      return "no significant difference";
    case CompareVerdict::kBetter:
      return "better";
    case CompareVerdict::kWorse:
      return "worse";
    case CompareVerdict::kNotTested:
      return "not tested";
  }
  return "?";
}

int64_t Comparison::Count(CompareVerdict verdict) const {
  return std::count_if(rows.begin(), rows.end(), [verdict](const CompareRow& row) { return row.verdict == verdict; });
}

absl::StatusOr<Comparison> CompareRuns(const CompareOptions& options) {
  if (options.runs.size() < 2) return absl::InvalidArgumentError("name two runs at least; the first is the baseline");
  Comparison comparison;
  comparison.runs = options.runs;
  comparison.confidence = options.confidence;
  ASSIGN_OR_RETURN(const Json baseline, ReadReport(options.runs[0]));
  for (size_t run = 1; run < options.runs.size(); ++run) {
    ASSIGN_OR_RETURN(const Json report, ReadReport(options.runs[run]));
    const size_t before = comparison.rows.size();
    AddRun(baseline, report, run, options, comparison.rows);
    if (comparison.rows.size() > before) continue;
    return absl::InvalidArgumentError(absl::StrCat(options.runs[0], " and ", options.runs[run],
                                                   " have no metric in common; evaluate both on the same file: quern "
                                                   "eval --model_name M --test_file F"));
  }
  Judge(1 - options.confidence, comparison.rows);
  return comparison;
}

}  // namespace quern
