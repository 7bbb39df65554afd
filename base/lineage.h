// Lineage: how every artefact names what it was made from, so that the chain from raw text to a served model can be
// walked.
//
// Files, each digested by its successor. `D` is the data folder, `M` the model folder, "<-" reads "is named, with its
// SHA-256, by":
//   raw text, splits            <- D/metadata.json    (sealed)   `source`, `splits`                  written by prepare
//   D/metadata.json, splits,
//     config, tokenizer,
//     a base model's weights
//     and its run               <- M/quern/run.json   (sealed)   `inputs`                            written by train
//   weights, config, tokenizer  <- M/quern/run.json              `outputs`
//   weights, test file          <- M/quern/eval.json             `inputs`                            written by eval
//   weights, config, tokenizer  <- M/quern/verdict.json (sealed) `subject`                           written by gate
//   policy, eval.json, run.json <- M/quern/verdict.json          `predicate.configuration`
//
// So the digest of verdict.json stands for everything before it. A *sealed* artefact carries `self_sha256`, the digest
// of its canonical bytes (WriteJson) without that field, and its bytes are exactly those: a changed byte in it is
// found, a space too, also while nothing names it yet. (A seal finds damage and careless edits. Whoever rewrites the
// whole chain can reseal it; against that, keep the verdict's digest elsewhere.) eval.json is not sealed: evaluations
// are merged into it and gate reads reports by others; once judged, the verdict holds its digest. No other file of the
// chain is left out: config, tokenizer, chat template, weights, splits and raw source are plain files, digested where
// they are named.
//
// An *entry* is {path, sha256, bytes}; paths are relative to the folder of the file that records them. `inputs` and
// `outputs` map a role ("train", "tokenizer") to an entry or an array of entries. In eval.json `inputs.model` is the
// entry of the weights file that was evaluated. In metadata.json the splits' entries say `file` for `path`; an optional
// `outputs` map holds whatever else prepare wrote (duplicates, pii).
//
// Errors: NotFound, PermissionDenied ... from files (base/file.h); InvalidArgument for content. Verified by `quern
// verify`, and by serve before it starts.
#ifndef QUERN_BASE_LINEAGE_H_
#define QUERN_BASE_LINEAGE_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"

namespace quern {

// ---- Artefacts: JSON files with `schema` and `version`.

// {"schema": "quern/<kind>", "version": 1}: what every JSON artefact starts with. Kinds here: "data" (metadata.json),
// "run", "eval", "verdict".
Json NewArtefact(std::string_view kind);
// Reads an artefact and checks schema and version. InvalidArgument names what was found instead.
absl::StatusOr<Json> ReadArtefact(const std::string& path, std::string_view kind);

// Adds `self_sha256` (above) and writes atomically.
absl::Status WriteSealedArtefact(const std::string& path, Json artefact);
// Checks schema, version and seal; InvalidArgument when a byte of the file differs from what was sealed.
absl::StatusOr<Json> ReadSealedArtefact(const std::string& path, std::string_view kind);

// ---- What writers record.

// The entry of an existing file, for a file that will stand in `recorder_folder` (which need not exist yet).
absl::StatusOr<Json> DescribeFile(const std::string& path, const std::string& recorder_folder);

// `source` of metadata.json: {path, sha256, bytes} of one file. For a folder or a glob, `path` is that, `files` holds
// the entries in the order read, `bytes` is their sum and `sha256` the digest of the lines "<sha256>  <path>\n" of the
// entries (as sha256sum prints them).
absl::StatusOr<Json> DescribeSource(const std::string& path, const std::vector<std::string>& files,
                                    const std::string& recorder_folder);

// `inputs` of M/quern/run.json from role to path, with the roles that can be found by themselves: "metadata" (prepare's
// metadata.json beside the "train" file) and "base_run" (quern/run.json beside the "base_model" weights). Roles:
// "config", "tokenizer", "train", "validation", "base_model" (its weights file), others as needed. Call before the
// training starts: what was read is what is recorded.
absl::StatusOr<Json> DescribeRunInputs(const std::map<std::string, std::string>& paths,
                                       const std::string& model_folder);

// Adds `outputs` (an entry per ModelFiles) to `run`, which holds `inputs` and whatever else a run says, and writes
// M/quern/run.json, sealed. No timestamps or durations: equal runs give equal bytes.
absl::Status WriteRun(const std::string& model_folder, Json run);

// Names in a model folder of the files that decide what it answers, those that are there: first the weights
// ("model.safetensors", or "model.safetensors.index.json" and its shards), then config.json, tokenizer.json and the
// like. NotFound without weights; InvalidArgument for an index that names a file outside the folder.
absl::StatusOr<std::vector<std::string>> ModelFiles(const std::string& model_folder);

// ---- The verdict.

struct VerdictTests {
  std::vector<std::string> passed, failed;
};
// Writes M/quern/verdict.json, sealed: an in-toto Statement v1 (https://in-toto.io/Statement/v1) with a test-result
// v0.1 predicate. `subject` holds every file of ModelFiles, the weights first; `predicate.configuration` the policy,
// the report and M's run.json, if there is one, as {name: role, digest{sha256}, annotations{path, bytes}}. The result
// is PASSED when something passed and nothing failed.
absl::Status WriteVerdict(const std::string& model_folder, const VerdictTests& tests, const std::string& policy_path,
                          const std::string& report_path);

// What serve asks: the verdict of a model folder.
struct Verdict {
  bool present = false;
  bool passed = false;              // PASSED, and it counts: `problem` is empty
  std::vector<std::string> failed;  // failedTests
  std::string sha256;               // of verdict.json
  // Why it does not count: broken seal, other weights or tokenizer, at odds with its own failedTests.
  std::string problem;
};
// Digests every file of ModelFiles.
Verdict ReadVerdict(const std::string& model_folder);

// ---- The walk.

// One link of the chain, as checked.
struct LineageLink {
  std::string file;         // relative to the working directory where it lies below that, else absolute
  std::string role;         // "model", "train", "policy", ...; "seal" for an artefact's own
  std::string recorded_by;  // the file that names it
  std::string expected;     // sha256
  std::string actual;       // sha256; empty when the file cannot be read
  std::string problem;      // empty when the link holds
};

// Walks the chain of a model folder: verdict, report, policy, run, weights, config, tokenizer, data, splits, raw
// source, and the chain of the base model that a run started from. NotFound only when the folder has neither
// quern/run.json nor quern/verdict.json to start from; broken links are reported in the result, all of them.
absl::StatusOr<std::vector<LineageLink>> WalkLineage(const std::string& model_folder);

}  // namespace quern

#endif  // QUERN_BASE_LINEAGE_H_
