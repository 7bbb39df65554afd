// Training killed with SIGKILL at random moments and resumed: the files of the uninterrupted run, byte for byte.
//
// QUERN_KILL_TRIALS sets how many trials are made (default 3), QUERN_KILL_SEED which moments they hit.
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <numeric>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/testing.h"
#include "gtest/gtest.h"
#include "train/testing.h"

namespace quern {
namespace {

constexpr char kRunner[] = "tests/train_runner";  // tests start in the root of their files

int64_t EnvironmentOr(const char* name, int64_t fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? std::atoll(value) : fallback;
}

// A process that trains by `config`, its messages in CONFIG.log.
pid_t Start(const TrainConfig& config) {
  const std::string path = config.output_dir() + ".txtpb", log = config.output_dir() + ".log";
  EXPECT_TRUE(WriteFileAtomic(path, config.DebugString()).ok());
  pid_t pid = fork();
  if (pid != 0) return pid;
  int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0666);
  dup2(fd, STDOUT_FILENO);
  dup2(fd, STDERR_FILENO);
  execl(kRunner, kRunner, path.c_str(), "2", static_cast<char*>(nullptr));
  _exit(127);
}

// Its exit status; 128 + the signal that ended it.
int Wait(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TrainConfig KillRun(const std::string& folder, const std::string& name) {
  TrainConfig config = SmallRun(folder, name);
  config.set_max_steps(90);
  config.set_save_steps(5);
  config.set_eval_steps(6);
  config.set_save_total_limit(2);
  config.set_report_to("tensorboard");
  config.mutable_model()->mutable_llama()->set_hidden_size(64);
  return config;
}

TEST(TrainKill, ResumedRunsEndInTheSameBytes) {
  const std::string folder = FreshFolder("runs");
  TrainConfig whole = KillRun(folder, "whole");
  const double start = MonotonicSeconds();
  ASSERT_EQ(Wait(Start(whole)), 0) << *ReadFile(whole.output_dir() + ".log");
  const double seconds = MonotonicSeconds() - start;
  const auto expected = Digests(whole.output_dir());

  const int64_t trials = EnvironmentOr("QUERN_KILL_TRIALS", 3);
  const uint64_t seed = static_cast<uint64_t>(EnvironmentOr("QUERN_KILL_SEED", static_cast<int64_t>(getpid())));
  int64_t killed = 0;
  for (int64_t trial = 0; trial < trials; ++trial) {
    const double moment =
        seconds * UniformFloat(RandomWords({seed, RngStream::kTest}, 0, 0, static_cast<uint64_t>(trial))[0]);
    SCOPED_TRACE(absl::StrCat("seed ", seed, ", trial ", trial, ", killed after ", moment, " of ", seconds, " s"));
    TrainConfig config = KillRun(folder, absl::StrCat("trial", trial));
    config.set_resume_from_checkpoint("auto");
    pid_t pid = Start(config);
    std::this_thread::sleep_for(std::chrono::duration<double>(moment));
    kill(pid, SIGKILL);
    killed += Wait(pid) == 128 + SIGKILL;
    ASSERT_EQ(Wait(Start(config)), 0) << *ReadFile(config.output_dir() + ".log");
    std::vector<int64_t> steps(90);
    std::iota(steps.begin(), steps.end(), 1);
    EXPECT_EQ(EventSteps(config.output_dir()), steps);
    auto found = Digests(config.output_dir());
    for (const auto& [path, digest] : expected) EXPECT_EQ(found[path], digest) << path;
    for (const auto& [path, digest] : found) {
      EXPECT_TRUE(expected.count(path) > 0 || path.find("checkpoints/") == 0) << path << " is left over";
    }
  }
  std::printf("%lld of %lld trials were killed before they ended, within %.2f s\n", static_cast<long long>(killed),
              static_cast<long long>(trials), seconds);
  RecordProperty("killed", static_cast<int>(killed));
}

// A signal that asks: the run saves and leaves with the status of the signal.
TEST(TrainKill, SignalsThatAskAreAnsweredByACheckpoint) {
  const std::string folder = FreshFolder("runs");
  for (int signal : {SIGINT, SIGTERM}) {
    TrainConfig config = KillRun(folder, absl::StrCat("signal", signal));
    config.set_max_steps(100000);
    pid_t pid = Start(config);
    const std::string checkpoint = JoinPath(config.output_dir(), "checkpoints/step-00000005/MANIFEST.json");
    EXPECT_TRUE(Eventually([&] { return FileExists(checkpoint); }));
    kill(pid, signal);
    EXPECT_EQ(Wait(pid), 128 + signal);
    std::string log = *ReadFile(config.output_dir() + ".log");
    EXPECT_NE(log.find("Go on with --resume_from_checkpoint auto"), std::string::npos) << log;
    EXPECT_TRUE(FileExists(JoinPath(config.output_dir(), "checkpoints")));
  }
}

}  // namespace
}  // namespace quern
