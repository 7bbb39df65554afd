#include "serve/open_model.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/lineage.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/model_folder.h"
#include "serve/model_engine.h"

namespace quern {
namespace {

std::string FolderName(const std::string& folder) {
  char resolved[PATH_MAX];
  std::string path = realpath(folder.c_str(), resolved) != nullptr ? resolved : folder;
  std::string name = Basename(path);
  return name.empty() ? "model" : name;
}

absl::Status CheckDevice(const std::string& device) {
  if (device == "cpu") return absl::OkStatus();
  if (device == "cuda" || device.rfind("cuda:", 0) == 0) {
    return absl::UnavailableError(
        absl::StrCat("device \"", device, "\": this build serves on the CPU only; leave --device (DEVICE) out."));
  }
  return absl::InvalidArgumentError(absl::StrCat("device \"", device, "\" is not known; it is cpu or cuda[:n]."));
}

// Inode, size and time of every file that decides what the model answers.
absl::StatusOr<std::string> SeeFiles(const std::string& folder) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, ModelFiles(folder));
  names.push_back("quern/verdict.json");
  std::string seen;
  for (const std::string& name : names) {
    struct stat info = {};
    if (stat(JoinPath(folder, name).c_str(), &info) != 0) continue;
    absl::StrAppend(&seen, name, " ", info.st_dev, " ", info.st_ino, " ", info.st_size, " ", info.st_mtim.tv_sec, ".",
                    info.st_mtim.tv_nsec, "\n");
  }
  return seen;
}

std::string WhyNot(const Verdict& verdict) {
  if (!verdict.present) return "it has no verdict";
  if (!verdict.problem.empty()) return absl::StrCat("its verdict does not count: ", verdict.problem);
  std::string failed;
  for (const std::string& test : verdict.failed) absl::StrAppend(&failed, failed.empty() ? "" : ", ", test);
  return absl::StrCat("its verdict is FAILED", failed.empty() ? "" : ": ", failed);
}

}  // namespace

absl::StatusOr<InspectedModel> InspectModel(const ServeOptions& options) {
  const std::string& folder = options.model_name;
  if (folder.empty()) {
    return absl::InvalidArgumentError(
        "model_name is not set: which model is to be served? Give its folder as --model_name FOLDER or MODEL_NAME.");
  }
  RETURN_IF_ERROR(CheckDevice(options.device));
  InspectedModel inspected;
  ServedModel& model = inspected.model;
  ASSIGN_OR_RETURN(inspected.files_seen, SeeFiles(folder));
  model.name = FolderName(folder);
  const Verdict verdict = ReadVerdict(folder);
  model.verdict = verdict.passed ? "PASSED" : "UNVERIFIED";
  if (!verdict.passed) {
    model.verdict_reason = WhyNot(verdict);
    if (!options.allow_unverified) {
      return absl::FailedPreconditionError(
          absl::StrCat(folder, " is not served, because ", model.verdict_reason, ". `quern gate --model_name ", folder,
                       " --policy FILE` judges a model; --allow_unverified serves it as it ",
                       "is, and says so on the page and in /v1/models."));
    }
  }
  const std::string weights = WeightsFile(folder);
  ASSIGN_OR_RETURN(model.sha256, Sha256File(weights));
  struct stat info = {};
  if (stat(weights.c_str(), &info) == 0) model.created = info.st_mtim.tv_sec;
  return inspected;
}

absl::StatusOr<std::unique_ptr<Engine>> LoadEngine(const ServeOptions& options, InspectedModel& inspected) {
  const std::string& folder = options.model_name;
  ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::Load(folder));
  ASSIGN_OR_RETURN(std::unique_ptr<LanguageModel> network, LoadModel(folder));
  inspected.model.max_positions = network->max_positions();
  ModelEngineOptions engine_options;
  engine_options.max_running = options.max_running;
  engine_options.max_queue = options.max_queue;
  ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine,
                   ModelEngine::Create(std::move(network), std::move(tokenizer), engine_options));
  ASSIGN_OR_RETURN(std::string seen, SeeFiles(folder));
  if (seen != inspected.files_seen) {
    return absl::UnavailableError(
        absl::StrCat(folder, " changed while it was being loaded; start again when nothing writes to it."));
  }
  return engine;
}

}  // namespace quern
