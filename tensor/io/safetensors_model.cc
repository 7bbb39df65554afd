#include "tensor/io/safetensors_model.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/foreign_file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace quern {
namespace {

constexpr char kWeights[] = "model.safetensors";
constexpr char kIndex[] = "model.safetensors.index.json";
constexpr uint64_t kMaxIndexBytes = 100'000'000;

absl::Status BadIndex(const std::string& path, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", why, "; download or convert the model again"));
}

std::string ShardName(size_t shard, size_t shards) {
  char name[64];
  std::snprintf(name, sizeof(name), "model-%05zu-of-%05zu.safetensors", shard + 1, shards);
  return name;
}

// A folder without weights that are ours may hold others.
absl::Status NoWeights(const std::string& folder) {
  std::string message = absl::StrCat(folder, ": neither ", kWeights, " nor ", kIndex, " is in it");
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(folder);
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    if (const ForeignFile* foreign = FindForeignFileAt(JoinPath(folder, name))) {
      return absl::NotFoundError(
          absl::StrCat(message, "; ", name, " is ", std::string(foreign->name), ". ", std::string(foreign->mend)));
    }
  }
  return absl::NotFoundError(absl::StrCat(message, "; name the folder of a model"));
}

}  // namespace

absl::StatusOr<SafetensorsModel> SafetensorsModel::Open(const std::string& path) {
  SafetensorsModel model;
  model.path_ = path;
  const bool folder = IsFolder(path);
  if (folder && !FileExists(JoinPath(path, kWeights))) {
    if (!FileExists(JoinPath(path, kIndex))) return NoWeights(path);
    RETURN_IF_ERROR(model.OpenShards(path));
    return model;
  }
  ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(folder ? JoinPath(path, kWeights) : path));
  model.names_ = file.names();
  for (const std::string& name : model.names_) model.file_of_[name] = 0;
  model.files_.push_back(std::move(file));
  return model;
}

absl::Status SafetensorsModel::OpenShards(const std::string& folder) {
  const std::string path = JoinPath(folder, kIndex);
  ASSIGN_OR_RETURN(Json index, ReadJsonFile(path, kMaxIndexBytes));
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    return BadIndex(path, "field \"weight_map\" is missing or not an object");
  }
  if (index["weight_map"].empty()) return BadIndex(path, "weight_map is empty");
  std::map<std::string, size_t> opened;
  for (const auto& item : index["weight_map"].items()) {
    const std::string shard = item.value().is_string() ? item.value().get<std::string>() : "";
    if (!IsPlainName(shard)) {
      return BadIndex(path,
                      absl::StrCat("weight_map names ", WriteJsonLine(item.value()), ", not a file of this folder"));
    }
    auto [it, is_new] = opened.try_emplace(shard, files_.size());
    if (is_new) {
      ASSIGN_OR_RETURN(SafetensorsFile file, SafetensorsFile::Open(JoinPath(folder, shard)));
      files_.push_back(std::move(file));
    }
    if (files_[it->second].entry(item.key()) == nullptr) {
      return BadIndex(path,
                      absl::StrCat("tensor ", WriteJsonLine(item.key()), " is not in ", shard, ", where it should be"));
    }
    file_of_[item.key()] = it->second;
    names_.push_back(item.key());
  }
  return absl::OkStatus();
}

absl::StatusOr<const SafetensorsFile*> SafetensorsModel::FileOf(std::string_view name) const {
  auto it = file_of_.find(name);
  if (it != file_of_.end()) return &files_[it->second];
  return absl::NotFoundError(
      absl::StrCat(path_, ": no tensor \"", std::string(name), "\" in it.", DidYouMean(name, names_)));
}

const SafetensorsEntry* SafetensorsModel::entry(std::string_view name) const {
  auto it = file_of_.find(name);
  return it == file_of_.end() ? nullptr : files_[it->second].entry(name);
}

absl::StatusOr<Tensor> SafetensorsModel::Find(std::string_view name) const {
  ASSIGN_OR_RETURN(const SafetensorsFile* file, FileOf(name));
  return file->Find(name);
}

absl::StatusOr<Tensor> SafetensorsModel::FindAs(std::string_view name, DType dtype) const {
  ASSIGN_OR_RETURN(const SafetensorsFile* file, FileOf(name));
  return file->FindAs(name, dtype);
}

absl::Status WriteSafetensorsModel(const std::string& folder, const std::vector<NamedTensor>& tensors,
                                   const SafetensorsMetadata& metadata, int64_t max_shard_bytes) {
  int64_t total = 0;
  for (const NamedTensor& named : tensors) total += named.tensor.bytes();
  if (total <= max_shard_bytes) return WriteSafetensors(JoinPath(folder, kWeights), tensors, metadata);

  std::vector<const NamedTensor*> sorted;
  for (const NamedTensor& named : tensors) sorted.push_back(&named);
  std::sort(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name < b->name; });
  auto twice = std::adjacent_find(sorted.begin(), sorted.end(), [](auto* a, auto* b) { return a->name == b->name; });
  if (twice != sorted.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("writing ", folder, ": two tensors are named \"", (*twice)->name, "\""));
  }
  std::vector<std::vector<NamedTensor>> shards(1);
  int64_t bytes = 0;
  for (const NamedTensor* named : sorted) {
    if (!shards.back().empty() && bytes + named->tensor.bytes() > max_shard_bytes) {
      shards.emplace_back();
      bytes = 0;
    }
    shards.back().push_back(*named);
    bytes += named->tensor.bytes();
  }
  Json index = {{"metadata", {{"total_size", total}, {"sha256", Json::object()}}}, {"weight_map", Json::object()}};
  for (size_t i = 0; i < shards.size(); ++i) {
    const std::string name = ShardName(i, shards.size()), path = JoinPath(folder, name);
    RETURN_IF_ERROR(WriteSafetensors(path, shards[i], metadata));
    ASSIGN_OR_RETURN(index["metadata"]["sha256"][name], Sha256File(path));
    for (const NamedTensor& named : shards[i]) index["weight_map"][named.name] = name;
  }
  return WriteFileAtomic(JoinPath(folder, kIndex), WriteJson(index));
}

}  // namespace quern
