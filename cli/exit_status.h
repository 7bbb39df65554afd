// The exit statuses of `quern`, and the one place where an absl::Status becomes one.
#ifndef QUERN_CLI_EXIT_STATUS_H_
#define QUERN_CLI_EXIT_STATUS_H_

#include <string_view>

#include "absl/status/status.h"

namespace quern::cli {

inline constexpr int kDone = 0;
inline constexpr int kNegativeVerdict = 1;  // gate failed, verify broken
inline constexpr int kUsage = 2;            // the command line is wrong
inline constexpr int kInputRefused = 3;     // a file is unreadable, malformed or hostile
inline constexpr int kEnvironment = 4;      // disk, device, port, memory; also training that diverged
// Interrupted, state saved: 130 after SIGINT, 143 after SIGTERM.

// An error of the command line itself: InvalidArgument, marked so that it exits with 2 instead of 3.
absl::Status UsageError(std::string_view message);
// The same message as a usage error; OK stays OK. For checks of options that live in a library.
absl::Status AsUsageError(const absl::Status& status);
bool IsUsageError(const absl::Status& status);

// OK 0; usage 2; NotFound, PermissionDenied, InvalidArgument, AlreadyExists, OutOfRange, DataLoss, Unimplemented 3;
// Cancelled 130 or 143 by the signal that arrived; everything else 4.
int ExitStatus(const absl::Status& status);

}  // namespace quern::cli

#endif  // QUERN_CLI_EXIT_STATUS_H_
