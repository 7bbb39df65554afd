#include "tests/cli_pty.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/clock.h"
#include "base/log.h"

namespace quern {

PtyProcess::PtyProcess(const std::vector<std::string>& args) {
  std::vector<std::string> argv = args;
  argv.insert(argv.begin(), std::filesystem::canonical("cli/quern").string());
  std::vector<char*> pointers;
  for (std::string& text : argv) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  pid_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
  CHECK(pid_ >= 0) << "forkpty";
  if (pid_ != 0) return;
  execv(pointers[0], pointers.data());
  _exit(127);
}

PtyProcess::~PtyProcess() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(terminal_);
}

void PtyProcess::Type(const std::string& keys) {
  CHECK_EQ(write(terminal_, keys.data(), keys.size()), static_cast<ssize_t>(keys.size()));
}

void PtyProcess::Signal(int signal) { kill(pid_, signal); }

bool PtyProcess::Pump(double seconds) {
  pollfd ready = {terminal_, POLLIN, 0};
  if (poll(&ready, 1, std::max(1, static_cast<int>(seconds * 1000))) <= 0) return true;
  char bytes[4096];
  const ssize_t got = read(terminal_, bytes, sizeof(bytes));
  if (got <= 0) return false;  // EIO: nobody has the other side open any more
  for (ssize_t i = 0; i < got; ++i) {
    if (bytes[i] != '\r') screen_.push_back(bytes[i]);
  }
  return true;
}

bool PtyProcess::WaitFor(const std::string& text, double seconds) {
  const double deadline = MonotonicSeconds() + seconds;
  while (true) {
    const size_t found = screen_.find(text, seen_);
    if (found != std::string::npos) {
      seen_ = found + text.size();
      return true;
    }
    if (MonotonicSeconds() > deadline || !Pump(0.05)) return false;
  }
}

int PtyProcess::Wait(double seconds) {
  const double deadline = MonotonicSeconds() + seconds;
  while (MonotonicSeconds() < deadline) {
    const bool open = Pump(0.05);
    int status = 0;
    if (waitpid(pid_, &status, open ? WNOHANG : 0) != pid_) continue;
    pid_ = -1;
    while (open && Pump(0)) {
      pollfd ready = {terminal_, POLLIN, 0};
      if (poll(&ready, 1, 0) <= 0) break;
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  return -1;
}

}  // namespace quern
