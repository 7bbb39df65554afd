// stdout: the result and nothing else.
#ifndef QUERN_CLI_OUTPUT_H_
#define QUERN_CLI_OUTPUT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quern::cli {

// Writes to stdout, at once. ResourceExhausted or Unavailable when that fails (a full disk, a closed pipe).
absl::Status Print(std::string_view text);

bool StdoutIsTerminal();

// All of stdin. On a terminal it says that it waits for input.
absl::StatusOr<std::string> ReadStdin();

}  // namespace quern::cli

#endif  // QUERN_CLI_OUTPUT_H_
