// The real `quern` binary on a terminal of its own, for tests of what a person sees and types.
#ifndef QUERN_TESTS_CLI_PTY_H_
#define QUERN_TESTS_CLI_PTY_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace quern {

class PtyProcess {
 public:
  explicit PtyProcess(const std::vector<std::string>& args);
  ~PtyProcess();  // kills it where it still runs
  PtyProcess(const PtyProcess&) = delete;
  PtyProcess& operator=(const PtyProcess&) = delete;

  // "\x03" is Ctrl-C, "\x04" Ctrl-D.
  void Type(const std::string& keys);
  void Signal(int signal);
  // Waits until the screen shows `text` behind what earlier calls have found; false after `seconds`, or when the
  // process has ended without it.
  bool WaitFor(const std::string& text, double seconds = 30);
  // Everything shown so far, what was typed included; lines end with "\n".
  const std::string& screen() const { return screen_; }
  // The exit status, 128 + signal where one ended it; -1 where it still runs after `seconds`.
  int Wait(double seconds = 30);

 private:
  bool Pump(double seconds);  // false at the end

  pid_t pid_ = -1;
  int terminal_ = -1;
  std::string screen_;
  size_t seen_ = 0;
};

}  // namespace quern

#endif  // QUERN_TESTS_CLI_PTY_H_
