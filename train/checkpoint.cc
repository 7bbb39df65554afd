#include "train/checkpoint.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/lineage.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "nn/model_folder.h"
#include "tensor/io/safetensors.h"
#include "tensor/io/safetensors_writer.h"

namespace quern {
namespace {

constexpr char kWeights[] = "model.safetensors";
constexpr char kMoments[] = "optimizer.safetensors";
constexpr char kState[] = "trainer_state.json";
constexpr char kManifest[] = "MANIFEST.json";
constexpr const char* kFiles[] = {kWeights, kMoments, kState};
constexpr char kPrefix[] = "step-";
constexpr char kFirstMoment[] = ".exp_avg";
constexpr char kSecondMoment[] = ".exp_avg_sq";

std::string CheckpointsFolder(const std::string& output_dir) { return JoinPath(output_dir, "checkpoints"); }

absl::Status SaveMoments(TrainStep& step, const std::string& path) {
  std::vector<NamedTensor> tensors;
  for (const ArenaEntry& entry : step.arena().entries()) {
    tensors.push_back({entry.name + kFirstMoment, ParameterArena::Part(step.first_moment(), entry)});
    tensors.push_back({entry.name + kSecondMoment, ParameterArena::Part(step.second_moment(), entry)});
  }
  return WriteSafetensors(path, tensors);
}

absl::Status LoadMoment(const SafetensorsFile& file, const std::string& name, Tensor part) {
  ASSIGN_OR_RETURN(Tensor tensor, file.Find(name));
  if (tensor.shape() != part.shape() || tensor.dtype() != part.dtype()) {
    return absl::InvalidArgumentError(absl::StrCat(file.path(), ": tensor \"", name, "\" is ", Describe(tensor),
                                                   ", the model's is ", Describe(part),
                                                   "; the checkpoint is of another model"));
  }
  part.CopyFrom(tensor);
  return absl::OkStatus();
}

absl::Status WriteManifest(const std::string& folder) {
  Json manifest = NewArtefact("checkpoint");
  for (const char* name : kFiles) {
    ASSIGN_OR_RETURN(Json entry, DescribeFile(JoinPath(folder, name), folder));
    entry.erase("path");
    manifest["files"][name] = std::move(entry);
  }
  return WriteSealedArtefact(JoinPath(folder, kManifest), manifest);
}

absl::Status VerifyManifest(const std::string& path) {
  ASSIGN_OR_RETURN(Json manifest, ReadSealedArtefact(JoinPath(path, kManifest), "checkpoint"));
  auto files = manifest.find("files");
  for (const char* name : kFiles) {
    const std::string file = JoinPath(path, name);
    if (files == manifest.end() || !files->is_object() || !files->contains(name)) {
      return absl::InvalidArgumentError(absl::StrCat(JoinPath(path, kManifest), ": does not name ", name));
    }
    ASSIGN_OR_RETURN(std::string expected, JsonString((*files)[name], "sha256", JoinPath(path, kManifest)));
    ASSIGN_OR_RETURN(std::string actual, Sha256File(file));
    if (actual == expected) continue;
    return absl::InvalidArgumentError(absl::StrCat(file, ": damaged: its sha256 is ", actual, ", ", kManifest, " says ",
                                                   expected, "; resume from another checkpoint"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string CheckpointPath(const std::string& output_dir, int64_t step) {
  return JoinPath(CheckpointsFolder(output_dir), absl::StrFormat("%s%08d", kPrefix, step));
}

absl::Status SaveCheckpoint(const std::string& output_dir, LanguageModel& model, TrainStep& step,
                            const TrainerState& state) {
  CHECK_EQ(step.steps(), state.step) << "SaveCheckpoint";
  RETURN_IF_ERROR(MakeFolders(CheckpointsFolder(output_dir)));
  ASSIGN_OR_RETURN(AtomicFolder folder, AtomicFolder::Create(CheckpointPath(output_dir, state.step), /*replace=*/true));
  const std::string& staging = folder.staging();
  RETURN_IF_ERROR(SaveWeights(model, JoinPath(staging, kWeights)));
  RETURN_IF_ERROR(SaveMoments(step, JoinPath(staging, kMoments)));
  RETURN_IF_ERROR(WriteFileAtomic(JoinPath(staging, kState), WriteJson(TrainerStateToJson(state))));
  RETURN_IF_ERROR(WriteManifest(staging));
  return folder.Commit();
}

absl::StatusOr<Checkpoint> OpenCheckpoint(const std::string& path) {
  if (!IsFolder(path)) {
    return absl::NotFoundError(absl::StrCat(path, ": no checkpoint there; name a folder like OUTPUT_DIR/checkpoints/",
                                            kPrefix, "00000500, or say auto"));
  }
  RETURN_IF_ERROR(VerifyManifest(path));
  Checkpoint checkpoint;
  checkpoint.path = path;
  ASSIGN_OR_RETURN(checkpoint.state, ReadTrainerState(JoinPath(path, kState)));
  return checkpoint;
}

absl::StatusOr<std::optional<Checkpoint>> NewestCheckpoint(const std::string& output_dir) {
  ASSIGN_OR_RETURN(std::vector<int64_t> steps, ListCheckpoints(output_dir));
  for (size_t i = steps.size(); i-- > 0;) {
    absl::StatusOr<Checkpoint> checkpoint = OpenCheckpoint(CheckpointPath(output_dir, steps[i]));
    absl::Status status = checkpoint.status();
    // A run that cannot give back its best model is not whole either.
    if (status.ok() && checkpoint->state.best_step > 0 && checkpoint->state.best_step != checkpoint->state.step) {
      status = OpenCheckpoint(CheckpointPath(output_dir, checkpoint->state.best_step)).status();
    }
    if (status.ok()) return std::optional<Checkpoint>(*std::move(checkpoint));
    LOG(WARNING) << "skipping " << CheckpointPath(output_dir, steps[i]) << ": " << std::string(status.message());
  }
  return std::optional<Checkpoint>();
}

absl::Status RestoreCheckpoint(const Checkpoint& checkpoint, LanguageModel& model, TrainStep& step) {
  RETURN_IF_ERROR(LoadWeights(model, JoinPath(checkpoint.path, kWeights)));
  ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(JoinPath(checkpoint.path, kMoments)));
  for (const ArenaEntry& entry : step.arena().entries()) {
    RETURN_IF_ERROR(LoadMoment(file, entry.name + kFirstMoment, ParameterArena::Part(step.first_moment(), entry)));
    RETURN_IF_ERROR(LoadMoment(file, entry.name + kSecondMoment, ParameterArena::Part(step.second_moment(), entry)));
  }
  step.set_steps(checkpoint.state.step);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> ListCheckpoints(const std::string& output_dir) {
  std::vector<int64_t> steps;
  const std::string folder = CheckpointsFolder(output_dir);
  if (!IsFolder(folder)) return steps;
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListFolder(folder));
  for (const std::string& name : names) {
    int64_t step = 0;
    if (name.rfind(kPrefix, 0) != 0 || !absl::SimpleAtoi(name.substr(sizeof(kPrefix) - 1), &step)) continue;
    if (CheckpointPath(output_dir, step) == JoinPath(folder, name)) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

absl::Status RemoveCheckpoints(const std::string& output_dir, const std::set<int64_t>& keep) {
  ASSIGN_OR_RETURN(std::vector<int64_t> steps, ListCheckpoints(output_dir));
  for (int64_t step : steps) {
    if (keep.count(step) == 0) RETURN_IF_ERROR(RemoveAll(CheckpointPath(output_dir, step)));
  }
  return absl::OkStatus();
}

}  // namespace quern
