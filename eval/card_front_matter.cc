#include "eval/card_front_matter.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"

namespace quern {
namespace {

constexpr const char* kOwnersKeys[] = {"license", "license_name", "license_link", "language", "base_model", "datasets"};

// The owner's keys of a front matter, each with its lines: "license: mit\n", "language:\n- en\n".
std::map<std::string, std::string> OwnersLines(std::string_view card) {
  std::map<std::string, std::string> lines;
  if (card.substr(0, 4) != "---\n") return lines;
  card.remove_prefix(4);
  const size_t end = card.find("\n---");
  if (end == std::string_view::npos) return lines;
  std::string* current = nullptr;
  for (absl::string_view line : absl::StrSplit(absl::string_view(card.data(), end), '\n')) {
    // What belongs to the key above: a list item or anything indented.
    if (line.empty() || line[0] == '-' || line[0] == ' ' || line[0] == '#') {
      if (current != nullptr && !line.empty()) absl::StrAppend(current, line, "\n");
      continue;
    }
    const std::string key(line.substr(0, line.find(':')));
    const bool owners = std::find(std::begin(kOwnersKeys), std::end(kOwnersKeys), key) != std::end(kOwnersKeys);
    current = owners ? &lines[key] : nullptr;
    if (owners) *current = absl::StrCat(line, "\n");
  }
  return lines;
}

// JSON's strings are YAML's; its numbers need a point where there is an exponent.
std::string Yaml(const Json& value) {
  std::string text = WriteJsonLine(value);
  const size_t exponent = text.find('e');
  if (value.is_number_float() && exponent != std::string::npos && text.find('.') == std::string::npos) {
    text.insert(exponent, ".0");
  }
  return text;
}

struct Metric {
  std::string type, name;
  double value;
};

std::vector<Metric> MetricsOf(const Json& report, bool rouge) {
  std::vector<Metric> metrics;
  if (!report.contains("metrics") || !report["metrics"].is_object()) return metrics;
  for (const auto& item : report["metrics"].items()) {
    const bool is_rouge = item.key().rfind("rouge", 0) == 0;
    if (is_rouge != rouge) continue;
    if (item.value().is_number()) metrics.push_back({item.key(), item.key(), item.value().get<double>()});
    if (!is_rouge || !item.value().is_object()) continue;
    for (const auto& part : item.value().items()) {
      if (!part.value().is_number()) continue;
      metrics.push_back({"rouge", absl::StrCat(item.key(), ".", part.key()), part.value().get<double>()});
    }
  }
  return metrics;
}

// A result of model-index: a data set and what was measured on it. "" when nothing was.
std::string IndexResult(const Json& report, const char* role, bool rouge) {
  const std::vector<Metric> metrics = MetricsOf(report, rouge);
  if (metrics.empty() || !report.contains("inputs") || !report["inputs"].is_object()) return "";
  const Json& entry = report["inputs"].value(role, Json::object());
  const Json path = entry.is_object() ? entry.value("path", Json("")) : Json("");
  const Json digest = entry.is_object() ? entry.value("sha256", Json()) : Json();
  const std::string file = path.is_string() && !path.empty() ? Basename(path.get<std::string>()) : "";
  std::string text = absl::StrCat("  - task:\n      type: text-generation\n      name: Text generation\n    dataset:\n",
                                  "      type: text\n      name: ", Yaml(file.empty() ? "unnamed" : file), "\n");
  if (digest.is_string()) absl::StrAppend(&text, "      revision: ", Yaml(digest), "\n");
  absl::StrAppend(&text, "    metrics:\n");
  for (const Metric& metric : metrics) {
    absl::StrAppend(&text, "    - type: ", Yaml(metric.type), "\n      name: ", Yaml(metric.name),
                    "\n      value: ", Yaml(metric.value), "\n");
  }
  return text;
}

}  // namespace

std::string CardFrontMatter(const std::string& name, const Json& config, const Json& report, std::string_view language,
                            std::string_view existing) {
  std::map<std::string, std::string> owners = OwnersLines(existing);
  if (owners.count("language") == 0 && !language.empty() && language != "und") {
    owners["language"] = absl::StrCat("language:\n- ", std::string(language), "\n");
  }
  std::string text = "---\n";
  for (const auto& [key, lines] : owners) absl::StrAppend(&text, lines);
  absl::StrAppend(&text, "library_name: transformers\npipeline_tag: text-generation\ntags:\n- quern\n");
  if (config.is_object() && config.contains("model_type") && config["model_type"].is_string()) {
    absl::StrAppend(&text, "- ", Yaml(config["model_type"]), "\n");
  }
  const std::string results = IndexResult(report, "test", false) + IndexResult(report, "references", true);
  if (!results.empty()) absl::StrAppend(&text, "model-index:\n- name: ", Yaml(name), "\n  results:\n", results);
  return text + "---\n\n";
}

std::string CardName(const std::string& model_folder) {
  std::error_code error;
  std::filesystem::path path = std::filesystem::weakly_canonical(model_folder, error);
  std::string name = path.filename().string();
  return error || name.empty() ? "model" : name;
}

}  // namespace quern
