// The real `quern` binary as a subprocess, for end-to-end tests.
#ifndef QUERN_TESTS_CLI_RUN_H_
#define QUERN_TESTS_CLI_RUN_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace quern {

// Whether max_file_bytes can be used. ThreadSanitizer writes a file of its own when a program starts, and dies of the
// limit.
#ifdef __SANITIZE_THREAD__
inline constexpr bool kFileLimitsWork = false;
#else
inline constexpr bool kFileLimitsWork = true;
#endif

struct RunOptions {
  std::string folder;  // working directory; "" is the test's own
  std::string in;      // standard input
  std::map<std::string, std::string> environment;
  uint64_t max_file_bytes = 0;  // a limit on the size of files, as a full disk would be; 0: none
};

struct RunResult {
  int exit = -1;  // 128 + signal where one ended it
  std::string out, err;
};

// A started process. Output is collected in files, so that nothing blocks.
class CliProcess {
 public:
  CliProcess(const std::vector<std::string>& args, const RunOptions& options = {});
  ~CliProcess();  // kills it where it still runs
  CliProcess(const CliProcess&) = delete;
  CliProcess& operator=(const CliProcess&) = delete;

  void Signal(int signal);
  // Waits until stdout or stderr holds `text`; false after `seconds`, or when the process has ended without it.
  bool WaitFor(const std::string& text, double seconds = 120);
  RunResult Wait();
  std::string out() const;
  std::string err() const;

 private:
  pid_t pid_ = -1;
  std::string files_;  // prefix of the files for stdin, stdout, stderr
  RunResult result_;
};

RunResult RunCli(const std::vector<std::string>& args, const RunOptions& options = {});

// Path -> bytes of every file below `folder`.
std::map<std::string, std::string> FilesBelow(const std::string& folder);

}  // namespace quern

#endif  // QUERN_TESTS_CLI_RUN_H_
