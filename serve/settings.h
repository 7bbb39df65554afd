// Where the settings of `quern serve` come from: flag > environment > .env > config file > default.
#ifndef QUERN_SERVE_SETTINGS_H_
#define QUERN_SERVE_SETTINGS_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "serve/options.h"

namespace quern {

// One setting, for --help and for the parsing of flags.
struct SettingInfo {
  std::string name;         // of the flag and in a config: "model_name"
  std::string environment;  // the variable, in the environment and in .env: "MODEL_NAME"; "" for flags only
  std::string value;        // what a value looks like: "FOLDER"; "" for a switch
  std::string help;
  std::string default_value;
};
std::vector<SettingInfo> ServeSettings();

struct SettingSources {
  std::map<std::string, std::string> flags;   // those given, by name
  std::map<std::string, std::string> config;  // of a --config file, by name
  // Null for the process's own; returns null where a variable is not set. Empty variables count as not set.
  std::function<const char*(const char* name)> environment;
  std::string env_file = ".env";
  bool env_file_given = false;  // then it must exist
};

struct ResolvedSetting {
  std::string name, value, origin;  // "port", "8000", "environment PORT"
};

struct ResolvedSettings {
  ServeOptions options;
  std::vector<ResolvedSetting> values;  // in the order of ServeSettings()
  std::vector<std::string> warnings;    // names in .env that look like misspelt ones of ours
};

// InvalidArgument says where a bad value stands and what was expected; a name in `flags` or `config` that is no
// setting suggests the nearest one. Errors of .env name file and line.
absl::StatusOr<ResolvedSettings> ResolveServeSettings(const SettingSources& sources);

// A line per setting: "port            8000                  environment PORT".
std::string DescribeSettings(const ResolvedSettings& settings);

// NAME=value lines: blank lines and lines that begin with # are skipped, `export ` before a name is allowed, values
// may stand in '...' (as they are) or "..." (with \n \t \" \\ \$); a # after blanks begins a comment. Nothing is
// expanded. InvalidArgument names `what` and the line; the last of equal names counts.
absl::StatusOr<std::map<std::string, std::string>> ParseEnvFile(std::string_view text, std::string_view what);

}  // namespace quern

#endif  // QUERN_SERVE_SETTINGS_H_
