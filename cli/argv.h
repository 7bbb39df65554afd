// The command line, made regular before anything interprets it: CLI11 then sees only `--name value` pairs.
//
//   --input-file=a.txt --lower x     ->  --input_file a.txt --lower true -- x
//
// `_` and `-` are equal in flags. `-h` is --help. A switch takes no value, or one behind `=`. `--` ends the flags. The
// errors are usage errors (exit_status.h): an unknown flag (the nearest is suggested), a flag without its value.
#ifndef QUERN_CLI_ARGV_H_
#define QUERN_CLI_ARGV_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace quern::cli {

struct FlagShape {
  std::string name;  // "input_file"
  std::string hint;  // what a value is called: "FILE"; "" for a switch
  bool is_switch() const { return hint.empty(); }
};

// `flags` is every flag that the verb knows.
absl::StatusOr<std::vector<std::string>> NormalizeFlags(const std::vector<std::string>& args,
                                                        const std::vector<FlagShape>& flags);

// Moves flags that stand before the verb behind it: "--threads 2 prepare x" -> "prepare x --threads 2". `flags` are
// those that are known everywhere.
std::vector<std::string> VerbFirst(const std::vector<std::string>& args, const std::vector<FlagShape>& flags);

}  // namespace quern::cli

#endif  // QUERN_CLI_ARGV_H_
