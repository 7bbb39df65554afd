#include "cli/exit_status.h"

#include <csignal>
#include <string>

#include "absl/strings/cord.h"
#include "base/interrupt.h"

namespace quern::cli {
namespace {

constexpr char kUsageMark[] = "quern/usage";

}  // namespace

absl::Status UsageError(std::string_view message) {
  return AsUsageError(absl::InvalidArgumentError(std::string(message)));
}

absl::Status AsUsageError(const absl::Status& status) {
  absl::Status marked = status;
  if (!marked.ok()) marked.SetPayload(kUsageMark, absl::Cord());
  return marked;
}

bool IsUsageError(const absl::Status& status) { return status.GetPayload(kUsageMark).has_value(); }

int ExitStatus(const absl::Status& status) {
  if (IsUsageError(status)) return kUsage;
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kDone;
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kUnimplemented:
      return kInputRefused;
    case absl::StatusCode::kCancelled:
      return Interrupted() ? InterruptExitStatus() : 128 + SIGINT;
    default:
      return kEnvironment;
  }
}

}  // namespace quern::cli
