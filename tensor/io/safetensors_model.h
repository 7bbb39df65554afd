// A model's weights: one model.safetensors, or shards named by model.safetensors.index.json.
//
//   model.safetensors.index.json: {"metadata": {"total_size": bytes, ...}, "weight_map": {"tensor": "shard file", ...}}
//
// The index is hostile too: shards are plain names of files in the folder, and each must hold the tensors it is said
// to.
#ifndef QUERN_TENSOR_IO_SAFETENSORS_MODEL_H_
#define QUERN_TENSOR_IO_SAFETENSORS_MODEL_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tensor/io/safetensors.h"
#include "tensor/io/safetensors_writer.h"
#include "tensor/tensor.h"

namespace quern {

class SafetensorsModel {
 public:
  // A model folder, or the path of one .safetensors file. model.safetensors wins over an index beside it.
  static absl::StatusOr<SafetensorsModel> Open(const std::string& path);

  // Sorted by byte value; of shards, the names in the index.
  const std::vector<std::string>& names() const { return names_; }
  // Of the only file or the first shard.
  const std::map<std::string, std::string>& metadata() const { return files_[0].metadata(); }
  const std::vector<SafetensorsFile>& files() const { return files_; }
  // As in SafetensorsFile.
  const SafetensorsEntry* entry(std::string_view name) const;
  absl::StatusOr<Tensor> Find(std::string_view name) const;
  absl::StatusOr<Tensor> FindAs(std::string_view name, DType dtype) const;

 private:
  absl::Status OpenShards(const std::string& folder);
  absl::StatusOr<const SafetensorsFile*> FileOf(std::string_view name) const;

  std::string path_;
  std::vector<SafetensorsFile> files_;
  std::map<std::string, size_t, std::less<>> file_of_;  // index into files_
  std::vector<std::string> names_;
};

// Writes model.safetensors into `folder`, or, where that would exceed `max_shard_bytes` of data, shards
// model-00001-of-0000N.safetensors (filled in the order of the names) and the index. The index's metadata holds
// `total_size` and `sha256`, a map from shard to digest, so that the index's own digest stands for the weights. Each
// file appears whole or not at all; the index comes last. Other weights in the folder are not removed.
absl::Status WriteSafetensorsModel(const std::string& folder, const std::vector<NamedTensor>& tensors,
                                   const SafetensorsMetadata& metadata = {{"format", "pt"}},
                                   int64_t max_shard_bytes = int64_t{5'000'000'000});

}  // namespace quern

#endif  // QUERN_TENSOR_IO_SAFETENSORS_MODEL_H_
