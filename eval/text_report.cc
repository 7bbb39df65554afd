#include "eval/text_report.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace quern {
namespace {

// Rows of cells as aligned columns; the last column is as wide as it likes.
class Table {
 public:
  void Add(std::vector<std::string> cells) {
    widths_.resize(std::max(widths_.size(), cells.size()));
    for (size_t i = 0; i < cells.size(); ++i) widths_[i] = std::max(widths_[i], cells[i].size());
    rows_.push_back(std::move(cells));
  }

  std::string Text() const {
    std::string text;
    for (const std::vector<std::string>& row : rows_) {
      std::string line;
      for (size_t i = 0; i < row.size(); ++i) {
        absl::StrAppend(&line, row[i]);
        if (i + 1 < row.size()) line.append(widths_[i] - row[i].size() + 2, ' ');
      }
      line.erase(line.find_last_not_of(' ') + 1);
      absl::StrAppend(&text, line, "\n");
    }
    return text;
  }

 private:
  std::vector<size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

std::string Number(const Json& value) {
  if (value.is_number_float()) return absl::StrFormat("%.6g", value.get<double>());
  if (value.is_null()) return "none (not a finite number)";
  return value.is_string() ? value.get<std::string>() : WriteJsonLine(value);
}

// An object's numbers in one row: "precision 0.5, recall 0.25".
std::string Numbers(const Json& object) {
  std::string text;
  for (const auto& item : object.items()) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", item.key(), " ", Number(item.value()));
  }
  return text;
}

void AddSection(const Json& report, const char* name, Table& table) {
  if (!report.contains(name) || !report[name].is_object()) return;
  for (const auto& item : report[name].items()) {
    table.Add({item.key(), item.value().is_object() ? Numbers(item.value()) : Number(item.value())});
  }
}

std::string Threshold(const GateRow& row) {
  auto shown = [](double value) { return WriteJsonLine(Json(value)); };
  if (row.min && row.max) return absl::StrCat(shown(*row.min), " to ", shown(*row.max));
  if (row.min) return absl::StrCat("at least ", shown(*row.min));
  return row.max ? absl::StrCat("at most ", shown(*row.max)) : "-";
}

template <typename T>
Json OrNull(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json();
}

std::string Counted(size_t count, std::string_view one, std::string_view many) {
  return absl::StrCat(count, " ", std::string(count == 1 ? one : many));
}

}  // namespace

std::string FormatEvaluation(const Json& report) {
  Table table;
  AddSection(report, "metrics", table);
  AddSection(report, "counts", table);
  if (report.contains("settings") && report["settings"].is_object()) {
    for (const auto& item : report["settings"].items()) {
      table.Add({absl::StrCat("measured: ", item.key()), Numbers(item.value())});
    }
  }
  return table.Text();
}

std::string FormatGate(const GateResult& result) {
  Table table;
  table.Add({"test", "value", "threshold", "result"});
  size_t failed = 0;
  for (const GateRow& row : result.rows) {
    if (!row.passed) ++failed;
    table.Add({row.test, row.value ? Number(*row.value) : "-", Threshold(row),
               row.passed ? "PASSED" : absl::StrCat("FAILED: ", row.problem)});
  }
  const std::string sum = result.passed ? absl::StrCat("PASSED: ", Counted(result.rows.size(), "check", "checks"))
                                        : absl::StrCat("FAILED: ", failed, " of ",
                                                       Counted(result.rows.size(), "test", "tests"), " did not pass");
  return absl::StrCat(table.Text(), sum, "\n");
}

Json GateToJson(const GateResult& result) {
  Json tests = Json::array();
  for (const GateRow& row : result.rows) {
    tests.push_back({{"test", row.test},
                     {"metric", row.metric},
                     {"value", OrNull(row.value)},
                     {"min", OrNull(row.min)},
                     {"max", OrNull(row.max)},
                     {"passed", row.passed},
                     {"problem", row.problem}});
  }
  return {{"passed", result.passed},
          {"result", result.passed ? "PASSED" : "FAILED"},
          {"tests", std::move(tests)},
          {"verdict", result.verdict_path},
          {"card", result.card_path}};
}

std::string FormatComparison(const Comparison& comparison) {
  const bool many = comparison.runs.size() > 2;
  Table table;
  std::vector<std::string> head = {
      "metric", "baseline", "run", "difference", absl::StrFormat("%g%% interval", 100 * comparison.confidence),
      "p",      "verdict"};
  if (many) head.insert(head.begin(), "run");
  table.Add(head);
  for (const CompareRow& row : comparison.rows) {
    std::vector<std::string> cells = {row.metric, absl::StrFormat("%.6g", row.baseline),
                                      absl::StrFormat("%.6g", row.value),
                                      absl::StrFormat("%+.4g", row.value - row.baseline)};
    if (row.test.has_value()) {
      cells.push_back(absl::StrFormat("%+.4g to %+.4g", row.test->low, row.test->high));
      cells.push_back(absl::StrFormat("%.4f", row.p_adjusted));
      cells.push_back(std::string(Name(row.verdict)));
      if (row.verdict == CompareVerdict::kSame && row.test->detectable > 0) {
        absl::StrAppendFormat(&cells.back(), " (%.2g would have been seen)", row.test->detectable);
      }
    } else {
      cells.insert(cells.end(), {"-", "-", row.why_not.empty() ? "-" : "not tested: " + row.why_not});
    }
    if (many) cells.insert(cells.begin(), comparison.runs[row.run]);
    table.Add(std::move(cells));
  }
  return absl::StrCat("baseline  ", comparison.runs[0], "\n",
                      many ? "" : absl::StrCat("run       ", comparison.runs[1], "\n"), "\n", table.Text(), "\n",
                      comparison.Count(CompareVerdict::kWorse), " worse, ", comparison.Count(CompareVerdict::kBetter),
                      " better, ", comparison.Count(CompareVerdict::kSame), " without a significant difference\n");
}

Json ComparisonToJson(const Comparison& comparison) {
  Json rows = Json::array();
  for (const CompareRow& row : comparison.rows) {
    Json json = {{"metric", row.metric},
                 {"run", row.run},
                 {"baseline", row.baseline},
                 {"value", row.value},
                 {"difference", row.value - row.baseline},
                 {"interval", nullptr},
                 {"p", nullptr},
                 {"p_adjusted", nullptr},
                 {"detectable", nullptr},
                 {"verdict", std::string(Name(row.verdict))},
                 {"why_not", row.why_not}};
    if (row.test.has_value()) {
      json.update({{"interval", {row.test->low, row.test->high}},
                   {"p", row.test->p},
                   {"p_adjusted", row.p_adjusted},
                   {"detectable", row.test->detectable}});
    }
    rows.push_back(std::move(json));
  }
  return {{"runs", comparison.runs},
          {"confidence", comparison.confidence},
          {"rows", std::move(rows)},
          {"better", comparison.Count(CompareVerdict::kBetter)},
          {"worse", comparison.Count(CompareVerdict::kWorse)}};
}

std::string FormatLineage(const std::vector<LineageLink>& links) {
  Table table;
  table.Add({"file", "role", "recorded by", "sha256", "result"});
  size_t broken = 0;
  for (const LineageLink& link : links) {
    if (!link.problem.empty()) ++broken;
    table.Add({link.file, link.role, link.recorded_by, link.expected.empty() ? "-" : link.expected.substr(0, 12),
               link.problem.empty() ? "ok" : absl::StrCat("BROKEN: ", link.problem)});
  }
  const std::string sum = broken > 0 ? absl::StrCat("BROKEN: ", broken, " of ", Counted(links.size(), "link", "links"))
                                     : absl::StrCat("ok: ", Counted(links.size(), "link holds", "links hold"));
  return absl::StrCat(table.Text(), sum, "\n");
}

Json LineageToJson(const std::vector<LineageLink>& links) {
  Json broken = Json::array();
  for (const LineageLink& link : links) {
    if (link.problem.empty()) continue;
    broken.push_back({{"file", link.file},
                      {"role", link.role},
                      {"recorded_by", link.recorded_by},
                      {"expected", link.expected},
                      {"actual", link.actual},
                      {"problem", link.problem}});
  }
  const bool ok = broken.empty() && !links.empty();
  return {{"ok", ok}, {"checked", links.size()}, {"broken", std::move(broken)}};
}

}  // namespace quern
