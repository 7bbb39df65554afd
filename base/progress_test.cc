#include "base/progress.h"

#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <thread>

#include "base/log.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

// What `body` writes when stderr is a terminal of 60 columns.
template <typename Body>
std::string OnTerminal(const Body& body) {
  winsize size{};
  size.ws_col = 60;
  int master = -1;
  const pid_t child = forkpty(&master, nullptr, nullptr, &size);
  if (child == 0) {
    setenv("TERM", "xterm", 1);
    body();
    _exit(0);
  }
  std::string output;
  char buffer[4096];
  ssize_t got = 0;
  while ((got = read(master, buffer, sizeof(buffer))) > 0) output.append(buffer, static_cast<size_t>(got));
  close(master);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return output;
}

int Count(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(ProgressTest, PlainLinesWhenNotATerminal) {
  CaptureStderr();
  {
    Progress progress("train", 1000, "steps");
    for (int i = 1; i <= 1000; ++i) progress.Update(i, "loss 1.93");
  }
  const std::string text = GetCapturedStderr();
  EXPECT_THAT(text, HasSubstr("train: 1,000/1,000 steps (100%)"));
  EXPECT_THAT(text, HasSubstr("(100%), loss 1.93, took ")) << "no rate over milliseconds";
  EXPECT_EQ(Count(text, "\n"), 1) << "no line within the first five seconds but the last one";
  EXPECT_THAT(text, Not(HasSubstr("\033")));
}

TEST(ProgressTest, QuietSaysNothing) {
  CaptureStderr();
  Progress::SetQuiet(true);
  {
    Progress progress("train", 10, "steps");
    progress.Update(10);
  }
  Progress::SetQuiet(false);
  EXPECT_EQ(GetCapturedStderr(), "");
}

TEST(ProgressTest, BarOnATerminal) {
  const std::string text = OnTerminal([] {
    Progress progress("train", 4, "steps");
    for (int i = 0; i <= 4; ++i) {
      progress.Update(i);
      usleep(120'000);
    }
  });
  EXPECT_THAT(text, HasSubstr("\r\033[Ktrain ["));
  EXPECT_THAT(text, HasSubstr(" 50% 2/4 steps"));
  EXPECT_THAT(text, HasSubstr("ETA "));
  EXPECT_EQ(text.substr(text.size() - 4), "\r\033[K") << "the bar is gone at the end";
  EXPECT_THAT(text, Not(HasSubstr("\n")));
}

TEST(ProgressTest, RedrawsAtMostTenTimesASecond) {
  const std::string text = OnTerminal([] {
    Progress progress("x", 1'000'000, "steps");
    for (int i = 0; i < 250; ++i) {
      progress.Update(i);
      usleep(1000);
    }
  });
  EXPECT_GE(Count(text, "\033[Kx "), 2);
  EXPECT_LE(Count(text, "\033[Kx "), 10);
}

TEST(ProgressTest, LogLinesStepAroundTheBar) {
  const std::string text = OnTerminal([] {
    Progress progress("train", 4, "steps");
    progress.Update(2);
    LOG(INFO) << "saved";
  });
  // bar, erased, the line, the bar again, erased.
  const size_t line = text.find("\r\033[Ksaved\r\n\r\033[Ktrain [");
  EXPECT_NE(line, std::string::npos) << text;
}

TEST(ProgressTest, TheInnerOfTwoHasTheLine) {
  const std::string text = OnTerminal([] {
    Progress outer("train", 4, "steps");
    outer.Update(1);
    {
      Progress inner("eval", 2, "windows");
      inner.Update(1);
      usleep(110'000);
      outer.Update(2);
    }
    usleep(110'000);
    outer.Update(3);
  });
  EXPECT_EQ(Count(text, "train ["), 2);
  EXPECT_EQ(Count(text, "eval ["), 1);
  EXPECT_THAT(text, Not(HasSubstr("2/4 steps")));
}

TEST(ProgressTest, ThreadsMayUpdate) {
  CaptureStderr();
  {
    Progress progress("x", 0, "records");
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 1000; ++i) progress.Update(i);
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("x: 999 records"));
}

TEST(ProgressTest, Render) {
  ProgressState state{.label = "train", .unit = "steps", .note = "loss 1.93", .done = 450, .total = 1000, .rate = 12.5};
  EXPECT_EQ(RenderLine(state), "train: 450/1,000 steps (45%), 12.50 steps/s, ETA 44.0 s, loss 1.93");
  EXPECT_EQ(RenderBar(state, 100),
            "train [#############.................]  45% 450/1,000 steps, 12.50 steps/s, ETA 44.0 s, loss 1.93");
  for (int columns : {1, 5, 20, 40, 61, 80}) EXPECT_LE(RenderBar(state, columns).size(), static_cast<size_t>(columns));
  EXPECT_THAT(RenderBar(state, 60), HasSubstr("45%"));

  ProgressState unknown{.label = "read", .unit = "bytes", .done = 4'400'000, .rate = 1e6};
  EXPECT_EQ(RenderLine(unknown), "read: 4.4 MB, 1.0 MB/s");
  EXPECT_EQ(RenderBar(unknown, 80), "read 4.4 MB, 1.0 MB/s");
  ProgressState over{.label = "x", .unit = "steps", .done = 12, .total = 10, .rate = 1};
  EXPECT_EQ(RenderLine(over), "x: 12/10 steps (100%), 1.00 steps/s");
}

TEST(ProgressTest, Durations) {
  EXPECT_EQ(FormatDuration(0.012), "12 ms");
  EXPECT_EQ(FormatDuration(1.24), "1.2 s");
  EXPECT_EQ(FormatDuration(59.96), "1m 00s");
  EXPECT_EQ(FormatDuration(200), "3m 20s");
  EXPECT_EQ(FormatDuration(7500), "2h 05m");
  EXPECT_EQ(FormatDuration(4 * 86400 + 3 * 3600), "4d 03h");
  EXPECT_EQ(FormatDuration(-1), "?");
  EXPECT_EQ(FormatDuration(std::nan("")), "?");
  EXPECT_EQ(FormatDuration(std::numeric_limits<double>::infinity()), "?");
}

TEST(ProgressTest, Sizes) {
  EXPECT_EQ(FormatBytes(97), "97 B");
  EXPECT_EQ(FormatBytes(4'400'000), "4.4 MB");
  EXPECT_EQ(FormatBytes(812'000), "812 kB");
  EXPECT_EQ(FormatBytes(999'999), "1.0 MB");
  EXPECT_EQ(FormatBytes(std::numeric_limits<uint64_t>::max()), "18.4 EB");
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1234567), "1,234,567");
  EXPECT_EQ(FormatCount(-1234567), "-1,234,567");
  EXPECT_EQ(FormatCount(-123), "-123");
}

}  // namespace
}  // namespace quern
