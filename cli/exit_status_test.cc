#include "cli/exit_status.h"

#include <csignal>

#include "base/interrupt.h"
#include "gtest/gtest.h"

namespace quern::cli {
namespace {

TEST(ExitStatusTest, EveryCodeHasTheStatusThatIsPinned) {
  EXPECT_EQ(ExitStatus(absl::OkStatus()), 0);
  EXPECT_EQ(ExitStatus(UsageError("x")), 2);
  EXPECT_EQ(ExitStatus(absl::NotFoundError("x")), 3);
  EXPECT_EQ(ExitStatus(absl::PermissionDeniedError("x")), 3);
  EXPECT_EQ(ExitStatus(absl::InvalidArgumentError("x")), 3);
  EXPECT_EQ(ExitStatus(absl::AlreadyExistsError("x")), 3);
  EXPECT_EQ(ExitStatus(absl::DataLossError("x")), 3);
  EXPECT_EQ(ExitStatus(absl::ResourceExhaustedError("x")), 4);
  EXPECT_EQ(ExitStatus(absl::UnavailableError("x")), 4);
  EXPECT_EQ(ExitStatus(absl::FailedPreconditionError("x")), 4);
  EXPECT_EQ(ExitStatus(absl::InternalError("x")), 4);
}

TEST(ExitStatusTest, AnInterruptExitsByItsSignal) {
  SimulateInterrupt(SIGINT);
  EXPECT_EQ(ExitStatus(absl::CancelledError("x")), 130);
  SimulateInterrupt(SIGTERM);
  EXPECT_EQ(ExitStatus(absl::CancelledError("x")), 143);
  // What failed for another reason says so, also after a signal.
  EXPECT_EQ(ExitStatus(absl::NotFoundError("x")), 3);
  SimulateInterrupt(0);
}

TEST(ExitStatusTest, AUsageErrorKeepsItsMessage) {
  const absl::Status status = AsUsageError(absl::InvalidArgumentError("--val_ratio is a number"));
  EXPECT_TRUE(IsUsageError(status));
  EXPECT_EQ(status.message(), "--val_ratio is a number");
  EXPECT_TRUE(AsUsageError(absl::OkStatus()).ok());
  EXPECT_FALSE(IsUsageError(absl::InvalidArgumentError("x")));
}

}  // namespace
}  // namespace quern::cli
