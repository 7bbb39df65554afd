// The command line as a function: what main does once the process is set up.
#ifndef QUERN_CLI_QUERN_H_
#define QUERN_CLI_QUERN_H_

#include <string>
#include <vector>

namespace quern::cli {

// `args` without the program's name. Returns the exit status.
int RunQuern(const std::vector<std::string>& args);

// All of main: enters the folder that `bazel run` was called from, installs the interrupt handlers, puts `first` (a
// verb, or "") before the arguments, runs.
int Main(int argc, char** argv, const std::string& first = "");

}  // namespace quern::cli

#endif  // QUERN_CLI_QUERN_H_
