// The report: eval.json, and what is kept of earlier evaluations in it.
#ifndef QUERN_EVAL_REPORT_H_
#define QUERN_EVAL_REPORT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace quern {

inline constexpr const char* kModelRoles[] = {"model", "config", "tokenizer", "shards"};

// The entries of what decides the scores of a model folder, by role (kModelRoles): the weights file, config.json,
// tokenizer.json, and the shards of a sharded model. Hashes all of them.
absl::StatusOr<Json> DescribeModel(const std::string& model_folder, const std::string& report_folder);

// The SHA-256s recorded for a role, as an array; null where `inputs` has no such role.
Json DigestsOf(const Json& inputs, const char* role);

// Whether two `inputs` name the same weights, config and tokenizer, by digest; both none counts.
bool SameModel(const Json& inputs, const Json& other_inputs);

// `now` with what `earlier` has besides, section by section, where both are about the same model; else `now`.
Json MergeReports(const Json& earlier, const Json& now);

// Merges `report` into the report at `path`, if there is one (one that cannot be read is replaced, with a warning), and
// writes it atomically. Returns what was written.
absl::StatusOr<Json> WriteReport(const std::string& path, const Json& report);

// Python's json module writes NaN and Infinity, which are no JSON: returns `text` with those, outside strings, as null.
std::string NullForNan(std::string_view text);

}  // namespace quern

#endif  // QUERN_EVAL_REPORT_H_
