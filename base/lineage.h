// Lineage: how every artefact names what it was made from, so that the chain from raw text to a served model can be walked.
//
// An artefact is a JSON file with `schema`, `version` and `inputs`: a map from a role to {path, sha256, bytes}. Paths are
// relative to the folder of the file that records them. The chain:
//   raw text <- data/metadata.json <- (tokenizer.json, D/quern/run.json) <- model.safetensors <- D/quern/eval.json
//            <- D/quern/verdict.json (in-toto test-result v0.1)
// Written by prepare, tokenizer, train, eval and gate; verified by `quern verify`, and by serve before it starts.
#ifndef QUERN_BASE_LINEAGE_H_
#define QUERN_BASE_LINEAGE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"

namespace quern {

// {path relative to `recorder_folder`, sha256, bytes} of an existing file.
absl::StatusOr<Json> DescribeFile(const std::string& path, const std::string& recorder_folder);

// {"schema": "quern/<kind>", "version": 1}: what every JSON artefact starts with.
Json NewArtefact(std::string_view kind);
// Reads an artefact and checks schema and version. InvalidArgument names what was found instead.
absl::StatusOr<Json> ReadArtefact(const std::string& path, std::string_view kind);

// Adds `self_sha256`: the digest of the artefact written without that field, so that one flipped byte in it is found.
// Writes atomically.
absl::Status WriteSealedArtefact(const std::string& path, Json artefact);
// Checks the seal; InvalidArgument when a byte of the file differs from what was sealed.
absl::StatusOr<Json> ReadSealedArtefact(const std::string& path, std::string_view kind);

// One link of the chain, as checked.
struct LineageLink {
  std::string file;      // as recorded, made absolute or relative to the working directory
  std::string role;      // "model", "train", "policy", ...
  std::string recorded_by;
  std::string expected;  // sha256
  std::string actual;    // sha256; empty when the file is missing
  std::string problem;   // empty when the link holds
};

// Walks the chain of a model folder: model weights, config, tokenizer, run, report, verdict, policy, splits, raw source.
// NotFound or InvalidArgument only when the folder has no quern/run.json and no quern/verdict.json to start from;
// broken links are reported in the result, all of them.
absl::StatusOr<std::vector<LineageLink>> WalkLineage(const std::string& model_folder);

// What serve asks: the verdict of a model folder.
struct Verdict {
  bool present = false;
  bool passed = false;
  std::string problem;  // why it does not count: no verdict, other weights, at odds with its own failedTests, broken seal
  std::string sha256;   // of verdict.json
};
Verdict ReadVerdict(const std::string& model_folder);

}  // namespace quern

#endif  // QUERN_BASE_LINEAGE_H_
