#include "base/log.h"

#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

struct FakeStatus {
  bool ok() const { return false; }
  std::string ToString() const { return "NOT_FOUND: no such thing"; }
};

int calls = 0;
int Counted() { return ++calls; }

TEST(LogTest, OneLinePerMessage) {
  CaptureStderr();
  LOG(INFO) << "loss " << 1.5;
  LOG(WARNING) << "slow disk";
  LOG(ERROR) << "gone";
  EXPECT_EQ(GetCapturedStderr(), "loss 1.5\nwarning: slow disk\nerror: gone\n");
}

TEST(LogTest, BracesInAMessageAreText) {
  CaptureStderr();
  LOG(INFO) << "{} {0} %s";
  EXPECT_EQ(GetCapturedStderr(), "{} {0} %s\n");
}

TEST(LogTest, QuietDropsInfoOnly) {
  CaptureStderr();
  SetMinLogSeverity(LogSeverity::kWarning);
  LOG(INFO) << "dropped";
  LOG(WARNING) << "kept";
  SetMinLogSeverity(LogSeverity::kInfo);
  EXPECT_EQ(GetCapturedStderr(), "warning: kept\n");
}

TEST(LogTest, HooksSurroundEachLine) {
  static std::string order;
  order.clear();
  SetLogHooks([] { order += "b"; }, [] { order += "a"; });
  CaptureStderr();
  LOG(INFO) << "x";
  LOG(ERROR) << "y";
  SetLogHooks(nullptr, nullptr);
  LOG(INFO) << "z";
  GetCapturedStderr();
  EXPECT_EQ(order, "baba");
}

TEST(LogTest, LinesOfManyThreadsStayWhole) {
  CaptureStderr();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([] {
      for (int i = 0; i < 50; ++i) LOG(INFO) << "0123456789";
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += "0123456789\n";
  EXPECT_EQ(GetCapturedStderr(), expected);
}

TEST(LogTest, AHoldingCheckIsSilentAndEvaluatesOnce) {
  calls = 0;
  CaptureStderr();
  CHECK_EQ(Counted(), 1) << "never";
  CHECK(Counted() == 2) << Counted();
  if (calls == 0)
    CHECK(false);
  else
    CHECK_GT(2, 1);
  EXPECT_EQ(GetCapturedStderr(), "");
  EXPECT_EQ(calls, 2);
}

TEST(LogDeathTest, ChecksSayWhatFailedAndWhere) {
  ::testing::FLAGS_gtest_death_test_style = "threadsafe";
  const int rows = 2, columns = 3;
  EXPECT_DEATH(CHECK_EQ(rows, columns) << "MatMul: inner sizes agree",
               "fatal: CHECK failed: rows == columns \\(2 vs. 3\\) MatMul: inner sizes agree \\[log_test.cc:[0-9]+\\]");
  EXPECT_DEATH(CHECK_LT(columns, rows), "CHECK failed: columns < rows \\(3 vs. 2\\)");
  EXPECT_DEATH(CHECK(rows > columns) << "no", "CHECK failed: rows > columns no");
  EXPECT_DEATH(CHECK_OK(FakeStatus()) << "here", "FakeStatus\\(\\) is OK: NOT_FOUND: no such thing here");
  EXPECT_DEATH(LOG(FATAL) << "the end", "fatal: the end");
}

TEST(LogDeathTest, QuietKeepsFatal) {
  EXPECT_DEATH((SetMinLogSeverity(LogSeverity::kFatal), (void)(CHECK(1 > 2) << "still said")), "still said");
}

}  // namespace
}  // namespace quern
