#include "base/lineage.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/sha256.h"
#include "base/status_macros.h"

namespace quern {
namespace {

constexpr char kSeal[] = "self_sha256";
constexpr char kWeights[] = "model.safetensors";
constexpr char kShardIndex[] = "model.safetensors.index.json";
constexpr const char* kOtherModelFiles[] = {"config.json",           "tokenizer.json",
                                            "tokenizer_config.json", "special_tokens_map.json",
                                            "chat_template.jinja",   "generation_config.json"};
constexpr uint64_t kMaxArtefactBytes = uint64_t{256} << 20;

absl::Status CheckSchema(const Json& artefact, const std::string& path, std::string_view kind) {
  const std::string wanted = absl::StrCat("quern/", std::string(kind));
  ASSIGN_OR_RETURN(std::string schema, JsonStringOr(artefact, "schema", path, ""));
  ASSIGN_OR_RETURN(int64_t version, JsonIntOr(artefact, "version", path, 0, INT32_MAX, 0));
  if (schema == wanted && version == 1) return absl::OkStatus();
  const std::string found = schema.empty() ? "no schema" : absl::StrCat("schema \"", schema, "\" version ", version);
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": expected schema \"", wanted, "\" version 1, found ", found, "; is it the right file?"));
}

std::string SealOf(Json artefact) {
  artefact.erase(kSeal);
  return Sha256(WriteJson(artefact));
}

// Shard names are a hostile file's: each must be a plain name in the folder.
absl::StatusOr<std::set<std::string>> ShardsOf(const std::string& index_path) {
  ASSIGN_OR_RETURN(Json index, ReadJsonFile(index_path, kMaxArtefactBytes));
  auto map = index.find("weight_map");
  if (!index.is_object() || map == index.end() || !map->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(index_path, ": field \"weight_map\" is missing or not an object"));
  }
  std::set<std::string> shards;
  for (const Json& shard : *map) {
    std::string name = shard.is_string() ? shard.get<std::string>() : "";
    if (!IsPlainName(name)) {
      return absl::InvalidArgumentError(absl::StrCat(index_path, ": weight_map names ", WriteJsonLine(shard),
                                                     ", which is not a file of this folder"));
    }
    shards.insert(std::move(name));
  }
  return shards;
}

}  // namespace

Json NewArtefact(std::string_view kind) {
  return Json{{"schema", absl::StrCat("quern/", std::string(kind))}, {"version", 1}};
}

absl::StatusOr<Json> ReadArtefact(const std::string& path, std::string_view kind) {
  ASSIGN_OR_RETURN(Json artefact, ReadJsonFile(path, kMaxArtefactBytes));
  RETURN_IF_ERROR(CheckSchema(artefact, path, kind));
  return artefact;
}

absl::Status WriteSealedArtefact(const std::string& path, Json artefact) {
  // Through text once, so that what cannot be written (NaN, broken UTF-8) is sealed as it will be read.
  ASSIGN_OR_RETURN(artefact, ParseJson(WriteJson(artefact), path));
  artefact[kSeal] = SealOf(artefact);
  return WriteFileAtomic(path, WriteJson(artefact));
}

absl::StatusOr<Json> ReadSealedArtefact(const std::string& path, std::string_view kind) {
  ASSIGN_OR_RETURN(std::string text, ReadFile(path, kMaxArtefactBytes));
  ASSIGN_OR_RETURN(Json artefact, ParseJson(text, path));
  RETURN_IF_ERROR(CheckSchema(artefact, path, kind));
  ASSIGN_OR_RETURN(std::string sealed, JsonString(artefact, kSeal, path));
  if (sealed != SealOf(artefact) || WriteJson(artefact) != text) {
    return absl::InvalidArgumentError(absl::StrCat(
        path,
        ": broken seal; it was changed after it was written. Run the command that writes it again, or restore it"));
  }
  return artefact;
}

absl::StatusOr<Json> DescribeFile(const std::string& path, const std::string& recorder_folder) {
  uint64_t bytes = 0;
  Sha256Hasher hasher;
  RETURN_IF_ERROR(ReadFilePieces(path, [&](std::string_view piece) {
    hasher.Update(piece);
    bytes += piece.size();
  }));
  return Json{{"path", RelativePath(path, recorder_folder)}, {"sha256", hasher.Finish()}, {"bytes", bytes}};
}

absl::StatusOr<Json> DescribeSource(const std::string& path, const std::vector<std::string>& files,
                                    const std::string& recorder_folder) {
  if (files.size() == 1 && files[0] == path) return DescribeFile(path, recorder_folder);
  Json source = {{"path", RelativePath(path, recorder_folder)}, {"files", Json::array()}};
  uint64_t bytes = 0;
  Sha256Hasher lines;
  for (const std::string& file : files) {
    ASSIGN_OR_RETURN(Json entry, DescribeFile(file, recorder_folder));
    bytes += entry["bytes"].get<uint64_t>();
    lines.Update(absl::StrCat(entry["sha256"].get<std::string>(), "  ", entry["path"].get<std::string>(), "\n"));
    source["files"].push_back(std::move(entry));
  }
  source["bytes"] = bytes;
  source["sha256"] = lines.Finish();
  return source;
}

absl::StatusOr<Json> DescribeRunInputs(const std::map<std::string, std::string>& paths,
                                       const std::string& model_folder) {
  std::map<std::string, std::string> found = paths;
  if (auto train = paths.find("train"); train != paths.end()) {
    const std::string metadata = JoinPath(Dirname(train->second), "metadata.json");
    // A metadata.json of some other tool is none of ours.
    if (FileExists(metadata) && ReadArtefact(metadata, "data").ok()) found.emplace("metadata", metadata);
  }
  if (auto base = paths.find("base_model"); base != paths.end()) {
    const std::string run = JoinPath(Dirname(base->second), "quern/run.json");
    if (FileExists(run)) found.emplace("base_run", run);
  }
  Json inputs = Json::object();
  for (const auto& [role, path] : found) {
    ASSIGN_OR_RETURN(inputs[role], DescribeFile(path, JoinPath(model_folder, "quern")));
  }
  return inputs;
}

absl::Status WriteRun(const std::string& model_folder, Json run) {
  const std::string folder = JoinPath(model_folder, "quern");
  RETURN_IF_ERROR(MakeFolders(folder));
  ASSIGN_OR_RETURN(std::vector<std::string> files, ModelFiles(model_folder));
  Json outputs = Json::object();
  for (const std::string& name : files) {
    ASSIGN_OR_RETURN(outputs[name], DescribeFile(JoinPath(model_folder, name), folder));
  }
  Json artefact = NewArtefact("run");
  artefact.update(run);
  artefact["outputs"] = std::move(outputs);
  return WriteSealedArtefact(JoinPath(folder, "run.json"), std::move(artefact));
}

absl::StatusOr<std::vector<std::string>> ModelFiles(const std::string& model_folder) {
  std::vector<std::string> files;
  if (FileExists(JoinPath(model_folder, kWeights))) {
    files.push_back(kWeights);
  } else if (FileExists(JoinPath(model_folder, kShardIndex))) {
    files.push_back(kShardIndex);
    ASSIGN_OR_RETURN(std::set<std::string> shards, ShardsOf(JoinPath(model_folder, kShardIndex)));
    files.insert(files.end(), shards.begin(), shards.end());
  } else {
    return absl::NotFoundError(
        absl::StrCat(model_folder, ": no ", kWeights, " or ", kShardIndex, " in it; name the folder of a model"));
  }
  for (const char* name : kOtherModelFiles) {
    if (FileExists(JoinPath(model_folder, name))) files.push_back(name);
  }
  return files;
}

}  // namespace quern
