// Token ids as text: "1,2,3" in flags, [1, 2, 3] in JSON.
#ifndef QUERN_CLI_IDS_H_
#define QUERN_CLI_IDS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quern::cli {

// "1,2,3", blanks allowed, brackets too. A usage error that names `flag`.
absl::StatusOr<std::vector<int32_t>> ParseIdList(std::string_view text, std::string_view flag);

// JSON arrays of ids, one after another, with blanks or newlines between them; `take` gets each. InvalidArgument names
// `what` and the line.
absl::Status ParseIdArrays(std::string_view text, std::string_view what,
                           const std::function<absl::Status(std::vector<int32_t> ids)>& take);

// "[1, 2, 3]".
std::string FormatIds(std::span<const int32_t> ids);

}  // namespace quern::cli

#endif  // QUERN_CLI_IDS_H_
