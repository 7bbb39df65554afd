// The flags of one verb: declared once, then parsed, filled from a config file, and described by --help.
//
//   flags.Add("input_file", &options.input_file, "F", "text to read: a file, a folder or a glob").Required();
//   flags.Add("train_ratio", &options.train_ratio, "X", "share of the records").Range(0, 1);
//
// A flag's default is what its target holds when it is added. Values come from, the last one counts: the default, a
// config file, --set, the flag. All errors are usage errors (exit_status.h), but for those of a config file's content.
#ifndef QUERN_CLI_FLAGS_H_
#define QUERN_CLI_FLAGS_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "cli/argv.h"

namespace quern::cli {

enum class Origin { kDefault, kConfigFile, kSet, kFlag };
std::string_view Name(Origin origin);  // "default", "config file", "--set", "flag"

class Flag {
 public:
  // Takes a value as it was written. For flags that somebody else interprets.
  using Setter = std::function<absl::Status(const std::string& value)>;
  using Target = std::variant<bool*, int32_t*, int64_t*, uint64_t*, float*, double*, std::string*,
                              std::vector<std::string>*, Setter>;

  Flag(std::string name, Target target, std::string hint, std::string help);

  Flag& Required();
  Flag& Range(double least, double greatest = std::numeric_limits<double>::infinity());
  Flag& Choices(std::vector<std::string> choices);
  // What --help says the default is, where the target cannot say.
  Flag& Default(std::string text);
  // Under which heading --help shows it; "" is the verb's own.
  Flag& Group(std::string group);

  // Checks and stores; the error is a usage error that names the flag. A vector grows by one.
  absl::Status Assign(const std::string& value, Origin origin);

  const std::string& name() const { return name_; }
  const std::string& hint() const { return hint_; }
  const std::string& help() const { return help_; }
  const std::string& group() const { return group_; }
  const std::string& default_text() const { return default_text_; }
  const std::vector<std::string>& choices() const { return choices_; }
  const Target& target() const { return target_; }
  bool required() const { return required_; }
  bool repeated() const { return std::holds_alternative<std::vector<std::string>*>(target_); }
  Origin origin() const { return origin_; }

 private:
  absl::Status Store(const std::string& value);

  std::string name_, hint_, help_, group_, default_text_;
  Target target_;
  std::vector<std::string> choices_;
  std::optional<std::pair<double, double>> range_;
  bool required_ = false;
  Origin origin_ = Origin::kDefault;
};

class Flags {
 public:
  // `hint` is what --help calls the value; "" makes a switch (of a bool).
  Flag& Add(std::string name, Flag::Target target, std::string hint, std::string help);
  // An argument without a name: `quern verify M`. One per verb, or with a vector as many as are given: `quern compare A
  // B`. It is also the flag --NAME.
  Flag& AddPositional(std::string name, Flag::Target target, std::string hint, std::string help);

  absl::Status Parse(const std::vector<std::string>& args);
  // Protobuf text whose fields are named as the flags: `train_ratio: 0.9 dedupe: true`. InvalidArgument names the
  // path, line and column, and suggests the nearest field for a misspelt one. Flags that were given keep their values.
  absl::Status ReadConfigFile(const std::string& path);
  // "train_ratio=0.9", as --set takes it.
  absl::Status Set(const std::string& assignment);
  // A usage error that names what is missing.
  absl::Status CheckRequired() const;

  bool Given(std::string_view name) const;  // by whatever origin but the default
  Flag* Find(std::string_view name);
  const Flag* Find(std::string_view name) const;
  const std::deque<Flag>& all() const { return flags_; }
  std::vector<FlagShape> Shapes() const;
  const Flag* positional() const { return positional_; }

 private:
  std::deque<Flag> flags_;  // addresses stay
  Flag* positional_ = nullptr;
};

}  // namespace quern::cli

#endif  // QUERN_CLI_FLAGS_H_
