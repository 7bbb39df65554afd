#include "base/interrupt.h"

#include <signal.h>
#include <unistd.h>

#include "gtest/gtest.h"

namespace quern {
namespace {

TEST(InterruptTest, TheFirstSignalSetsAFlag) {
  InstallInterruptHandlers();
  EXPECT_FALSE(Interrupted());
  EXPECT_EQ(InterruptExitStatus(), 0);
  raise(SIGTERM);
  EXPECT_TRUE(Interrupted());
  EXPECT_EQ(InterruptSignal(), SIGTERM);
  EXPECT_EQ(InterruptExitStatus(), 143);
  SimulateInterrupt(SIGINT);
  EXPECT_EQ(InterruptExitStatus(), 130);
  SimulateInterrupt(0);
  EXPECT_FALSE(Interrupted());
}

TEST(InterruptTest, CtrlCCanBeTakenBackAndSigtermCannot) {
  InstallInterruptHandlers();
  EXPECT_FALSE(TakeBackSigint());
  raise(SIGINT);
  EXPECT_TRUE(TakeBackSigint());
  EXPECT_FALSE(Interrupted());
  raise(SIGINT);  // the first again
  EXPECT_TRUE(Interrupted());
  SimulateInterrupt(0);
  raise(SIGTERM);
  EXPECT_FALSE(TakeBackSigint());
  EXPECT_EQ(InterruptExitStatus(), 143);
  SimulateInterrupt(0);
}

TEST(InterruptDeathTest, TheSecondSignalExits) {
  InstallInterruptHandlers();
  EXPECT_EXIT((raise(SIGINT), raise(SIGINT), _exit(0)), ::testing::ExitedWithCode(130), "");
  EXPECT_EXIT((raise(SIGINT), raise(SIGTERM), _exit(0)), ::testing::ExitedWithCode(143), "");
  EXPECT_EXIT((raise(SIGINT), _exit(7)), ::testing::ExitedWithCode(7), "");
}

TEST(InterruptTest, AClosedPipeIsAnErrorNotASignal) {
  InstallInterruptHandlers();
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  EXPECT_EQ(write(ends[1], "x", 1), -1);
  EXPECT_EQ(errno, EPIPE);
  close(ends[1]);
}

}  // namespace
}  // namespace quern
