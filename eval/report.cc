#include "eval/report.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/lineage.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace quern {
namespace {

// The evaluation of predictions is replaced as a whole: its roles are alternatives.
void DropPredictions(Json& report) {
  for (const char* role : {"prompts", "predictions", "references"}) report["inputs"].erase(role);
  for (const char* count : {"rouge_records", "truncated_prompts"}) report["counts"].erase(count);
}

}  // namespace

absl::StatusOr<Json> DescribeModel(const std::string& model_folder, const std::string& report_folder) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files, ModelFiles(model_folder));
  Json inputs = Json::object();
  for (const std::string& name : files) {
    const bool is_config = name == "config.json", is_tokenizer = name == "tokenizer.json";
    const bool is_shard = name.ends_with(".safetensors") && name != files[0];
    if (name != files[0] && !is_config && !is_tokenizer && !is_shard) continue;
    ASSIGN_OR_RETURN(Json entry, DescribeFile(JoinPath(model_folder, name), report_folder));
    if (is_shard) {
      inputs["shards"].push_back(std::move(entry));
    } else {
      inputs[is_config ? "config" : is_tokenizer ? "tokenizer" : "model"] = std::move(entry);
    }
  }
  return inputs;
}

Json DigestsOf(const Json& inputs, const char* role) {
  if (!inputs.is_object() || !inputs.contains(role)) return Json();
  const Json& entry = inputs[role];
  Json digests = Json::array();
  for (const Json& one : entry.is_array() ? entry : Json::array({entry})) {
    digests.push_back(one.is_object() && one.contains("sha256") ? one["sha256"] : Json());
  }
  return digests;
}

bool SameModel(const Json& inputs, const Json& other_inputs) {
  for (const char* role : kModelRoles) {
    if (DigestsOf(inputs, role) != DigestsOf(other_inputs, role)) return false;
  }
  return true;
}

Json MergeReports(const Json& earlier, const Json& now) {
  if (!earlier.is_object() || !earlier.contains("inputs") || !SameModel(earlier["inputs"], now["inputs"])) return now;
  Json merged = earlier;
  for (const char* section : {"metrics", "counts", "settings", "inputs", "units"}) {
    if (!merged[section].is_object()) merged[section] = Json::object();
  }
  if (now["inputs"].contains("references")) DropPredictions(merged);
  for (const auto& item : now.items()) {
    Json& target = merged[item.key()];
    if (target.is_object() && item.value().is_object()) {
      target.update(item.value());
    } else {
      target = item.value();
    }
  }
  return merged;
}

absl::StatusOr<Json> WriteReport(const std::string& path, const Json& report) {
  Json merged = report;
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error)) {
    absl::StatusOr<Json> earlier = ReadArtefact(path, "eval");
    if (earlier.ok()) {
      merged = MergeReports(*earlier, report);
    } else {
      LOG(WARNING) << path << " is replaced: " << earlier.status().message();
    }
  }
  const std::string text = WriteJson(merged);
  RETURN_IF_ERROR(WriteFileAtomic(path, text));
  return ParseJson(text, path);
}

std::string NullForNan(std::string_view text) {
  std::string out;
  bool in_string = false;
  for (size_t at = 0; at < text.size();) {
    size_t skip = 0;
    for (std::string_view name : {"NaN", "-Infinity", "Infinity"}) {
      if (!in_string && skip == 0 && text.substr(at).starts_with(name)) skip = name.size();
    }
    const size_t taken = skip > 0 ? skip : in_string && text[at] == '\\' ? 2 : 1;
    if (taken == 1 && text[at] == '"') in_string = !in_string;
    out.append(skip > 0 ? "null" : text.substr(at, taken));
    at += taken;
  }
  return out;
}

}  // namespace quern
