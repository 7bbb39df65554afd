// A verb of `quern`: what --help says of it, and the command behind it. One file per verb defines one `const Verb`;
// verbs.cc holds the table.
#ifndef QUERN_CLI_COMMAND_H_
#define QUERN_CLI_COMMAND_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/flags.h"

namespace quern::cli {

// The flags that every verb has.
struct GlobalFlags {
  bool json = false;   // stdout carries JSON
  bool quiet = false;  // no progress, no messages but warnings and errors
  uint64_t seed = 0;
  int32_t threads = 0;  // 0: one per core
  std::string isa = "auto";
  std::string device = "cpu";
  std::string dtype = "f32";
  std::string config;             // protobuf text
  std::vector<std::string> sets;  // "a.b=value"
};

class Command {
 public:
  virtual ~Command() = default;

  // Binds flags to members, which hold the defaults.
  virtual void Declare(Flags& flags) = 0;

  // Applies --config and --set, which count less than flags. By default their fields are the flags.
  virtual absl::Status ApplyConfig(const GlobalFlags& global, Flags& flags);

  // The exit status: kDone or kNegativeVerdict. The result goes to stdout, by Print (output.h).
  virtual absl::StatusOr<int> Run(const GlobalFlags& global, const Flags& flags) = 0;
};

template <typename T>
std::unique_ptr<Command> Make() {
  return std::make_unique<T>();
}

struct Verb {
  std::string_view name;      // "tokenizer train"
  std::string_view summary;   // a line
  std::string_view usage;     // what stands behind the name
  std::string_view details;   // lines
  std::string_view examples;  // lines
  std::unique_ptr<Command> (*make)();
};

}  // namespace quern::cli

#endif  // QUERN_CLI_COMMAND_H_
