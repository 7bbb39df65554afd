#include "tests/cli_run.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

std::string Binary() {
  static const std::string path = fs::canonical("cli/quern").string();
  return path;
}

std::string TestFolder() {
  const char* folder = std::getenv("TEST_TMPDIR");
  return folder == nullptr ? fs::temp_directory_path().string() : folder;
}

// In the child: only calls that are safe after fork.
[[noreturn]] void Become(char* const* argv, char* const* envp, const RunOptions& options, const std::string* files) {
  for (int fd = 0; fd < 3; ++fd) {
    const int opened = open(files[fd].c_str(), fd == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (opened < 0 || dup2(opened, fd) < 0) _exit(126);
  }
  if (!options.folder.empty() && chdir(options.folder.c_str()) != 0) _exit(126);
  if (options.max_file_bytes > 0) {
    const rlimit limit{options.max_file_bytes, options.max_file_bytes};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  execve(argv[0], argv, envp);
  _exit(127);
}

std::vector<char*> Pointers(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::string ReadOr(const std::string& path) {
  const absl::StatusOr<std::string> bytes = ReadFile(path);
  return bytes.ok() ? *bytes : "";
}

}  // namespace

CliProcess::CliProcess(const std::vector<std::string>& args, const RunOptions& options) {
  static int count = 0;
  files_ = JoinPath(TestFolder(), "cli_run." + std::to_string(count++) + ".");
  const std::string files[3] = {files_ + "in", files_ + "out", files_ + "err"};
  CHECK_OK(WriteFileAtomic(files[0], options.in));
  std::vector<std::string> argv = args;
  argv.insert(argv.begin(), Binary());
  std::vector<std::string> environment = {"PATH=/usr/bin:/bin", "HOME=" + TestFolder()};
  for (const auto& [name, value] : options.environment) environment.push_back(name + "=" + value);
  const std::vector<char*> argv_pointers = Pointers(argv), env_pointers = Pointers(environment);
  pid_ = fork();
  CHECK(pid_ >= 0) << "fork";
  if (pid_ == 0) Become(argv_pointers.data(), env_pointers.data(), options, files);
}

CliProcess::~CliProcess() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  Wait();
}

void CliProcess::Signal(int signal) {
  if (pid_ > 0) kill(pid_, signal);
}

std::string CliProcess::out() const { return ReadOr(files_ + "out"); }
std::string CliProcess::err() const { return ReadOr(files_ + "err"); }

bool CliProcess::WaitFor(const std::string& text, double seconds) {
  const double deadline = MonotonicSeconds() + seconds;
  while (true) {
    siginfo_t info = {};
    const bool ended =
        waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid != 0;
    if ((out() + err()).find(text) != std::string::npos) return true;
    if (ended || MonotonicSeconds() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
}

RunResult CliProcess::Wait() {
  if (pid_ < 0) return result_;
  int status = 0;
  CHECK_EQ(waitpid(pid_, &status, 0), pid_);
  pid_ = -1;
  result_ = {WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), out(), err()};
  return result_;
}

RunResult RunCli(const std::vector<std::string>& args, const RunOptions& options) {
  return CliProcess(args, options).Wait();
}

std::map<std::string, std::string> FilesBelow(const std::string& folder) {
  std::map<std::string, std::string> files;
  if (!fs::exists(folder)) return files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
    const std::string name = entry.path().lexically_relative(folder).string();
    files[name] = entry.is_regular_file() ? ReadOr(entry.path().string()) : "";
  }
  return files;
}

}  // namespace quern
