#include "train/promote.h"

#include <map>
#include <utility>

#include "base/file.h"
#include "base/lineage.h"
#include "base/status_macros.h"
#include "nn/model_folder.h"

namespace quern {
namespace {

constexpr char kTokenizerFile[] = "tokenizer.json";
constexpr const char* kCompanions[] = {"tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"};

absl::Status WriteTokenizer(const RunTokenizer& tokenizer, const std::string& output_dir) {
  RETURN_IF_ERROR(tokenizer.tokenizer.Save(JoinPath(output_dir, kTokenizerFile)));
  if (tokenizer.folder.empty()) return absl::OkStatus();
  for (const char* name : kCompanions) {
    const std::string from = JoinPath(tokenizer.folder, name);
    if (!FileExists(from)) continue;
    ASSIGN_OR_RETURN(std::string bytes, ReadFile(from));
    RETURN_IF_ERROR(WriteFileAtomic(JoinPath(output_dir, name), bytes));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Json> BeginModelFolder(const TrainConfig& resolved, const ModelConfig& model_config,
                                      const RunTokenizer& tokenizer, const std::optional<std::string>& smoke) {
  const std::string& output_dir = resolved.output_dir();
  const std::string settings = JoinPath(output_dir, "quern/settings.txtpb");
  RETURN_IF_ERROR(MakeFolders(JoinPath(output_dir, "quern")));
  RETURN_IF_ERROR(WriteFileAtomic(settings, SettingsText(resolved, model_config)));
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(output_dir, "config.json"), WriteJson(ModelConfigToJson(model_config))));
  RETURN_IF_ERROR(WriteTokenizer(tokenizer, output_dir));
  std::map<std::string, std::string> paths = {
      {"config", settings},
      {"tokenizer", tokenizer.path.empty() ? JoinPath(output_dir, kTokenizerFile) : tokenizer.path},
      {"train", resolved.train_file()},
      {"validation", resolved.validation_file()}};
  if (resolved.has_model_name()) paths["base_model"] = WeightsFile(resolved.model_name());
  if (smoke) paths["smoke"] = *smoke;
  return DescribeRunInputs(paths, output_dir);
}

absl::Status Promote(const std::string& output_dir, LanguageModel& model, Json run) {
  RETURN_IF_ERROR(RemoveAll(JoinPath(output_dir, "quern/run.json")));
  RETURN_IF_ERROR(SaveModel(model, output_dir));
  return WriteRun(output_dir, std::move(run));
}

}  // namespace quern
