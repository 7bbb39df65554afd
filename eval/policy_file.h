// Reading a gate policy.
#ifndef QUERN_EVAL_POLICY_FILE_H_
#define QUERN_EVAL_POLICY_FILE_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "eval/gate_policy.pb.h"

namespace quern {

// Protobuf text. InvalidArgument: "PATH:LINE:COLUMN: what", with the nearest field for a misspelt one. What the checks
// ask for is not looked at; an empty policy is read as such.
absl::StatusOr<GatePolicy> ParsePolicy(std::string_view text, const std::string& path);

}  // namespace quern

#endif  // QUERN_EVAL_POLICY_FILE_H_
