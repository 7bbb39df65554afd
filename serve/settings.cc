#include "serve/settings.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace quern {
namespace {

// Stores a value; returns what was expected instead, or "".
using Store = std::function<std::string(ServeOptions& options, const std::string& value)>;

Store Text(std::string ServeOptions::*field) {
  return [field](ServeOptions& options, const std::string& value) {
    options.*field = value;
    return std::string();
  };
}

template <typename Get>
Store Whole(int64_t min, int64_t max, Get get) {
  return [=](ServeOptions& options, const std::string& value) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(value, &number) || number < min || number > max) {
      return absl::StrCat("a whole number from ", min, " to ", max);
    }
    get(options) = static_cast<std::decay_t<decltype(get(options))>>(number);
    return std::string();
  };
}

template <typename Get>
Store Real(double min, double max, bool open_min, Get get) {
  return [=](ServeOptions& options, const std::string& value) {
    double number = 0;
    bool read = absl::SimpleAtod(value, &number) && std::isfinite(number);
    if (!read || number < min || number > max || (open_min && number == min)) {
      return absl::StrCat("a number ", open_min ? "above " : "from ", min, open_min ? ", at most " : " to ", max);
    }
    get(options) = static_cast<std::decay_t<decltype(get(options))>>(number);
    return std::string();
  };
}

std::string StoreSwitch(ServeOptions& options, const std::string& value) {
  if (value != "" && value != "true" && value != "false" && value != "1" && value != "0") return "true or false";
  options.allow_unverified = value != "false" && value != "0";
  return "";
}

std::string StoreHosts(ServeOptions& options, const std::string& value) {
  options.allowed_hosts.clear();
  for (size_t at = 0; at <= value.size();) {
    size_t comma = std::min(value.find(',', at), value.size());
    std::string name = value.substr(at, comma - at);
    while (!name.empty() && name.front() == ' ') name.erase(0, 1);
    while (!name.empty() && name.back() == ' ') name.pop_back();
    if (name.find_first_of("/:* ") != std::string::npos) return "host names, without port, separated by commas";
    if (!name.empty()) options.allowed_hosts.push_back(std::move(name));
    at = comma + 1;
  }
  return "";
}

struct Setting {
  SettingInfo info;
  Store store;
};

// The one list: a new setting is a new row.
const std::vector<Setting>& Settings() {
  using O = ServeOptions;
  constexpr int64_t kMaxInt = std::numeric_limits<int32_t>::max();
  static const auto* settings = new std::vector<Setting>{
      {{"model_name", "MODEL_NAME", "FOLDER", "the model folder to serve", ""}, Text(&O::model_name)},
      {{"host", "HOST", "ADDRESS", "address to listen on; 0.0.0.0 is every network of this machine", "127.0.0.1"},
       Text(&O::host)},
      {{"port", "PORT", "N", "port to listen on; 0 takes a free one", "8000"},
       Whole(0, 65535, [](O& o) -> int& { return o.port; })},
      {{"device", "DEVICE", "cpu|cuda[:n]", "where the model runs", "cpu"}, Text(&O::device)},
      {{"max_new_tokens", "MAX_NEW_TOKENS", "N", "length of an answer where the request does not say", "128"},
       Whole(1, kMaxInt, [](O& o) -> int32_t& { return o.defaults.max_new_tokens; })},
      {{"temperature", "TEMPERATURE", "T", "where the request does not say; 0 is greedy", "0"},
       Real(0, 100, false, [](O& o) -> float& { return o.defaults.temperature; })},
      {{"top_p", "TOP_P", "P", "where the request does not say; 1 keeps all", "1"},
       Real(0, 1, true, [](O& o) -> float& { return o.defaults.top_p; })},
      {{"top_k", "TOP_K", "K", "where the request does not say; 0 keeps all", "0"},
       Whole(0, kMaxInt, [](O& o) -> int32_t& { return o.defaults.top_k; })},
      {{"request_timeout", "REQUEST_TIMEOUT", "SECONDS", "from a request's arrival to the end of its answer", "120"},
       Real(0, 86400, true, [](O& o) -> double& { return o.request_timeout; })},
      {{"readiness_timeout", "READINESS_TIMEOUT", "SECONDS", "for the one token that /readyz generates", "3"},
       Real(0, 86400, true, [](O& o) -> double& { return o.readiness_timeout; })},
      {{"drain_timeout", "DRAIN_TIMEOUT", "SECONDS", "for the answers under way after SIGTERM", "30"},
       Real(0, 86400, false, [](O& o) -> double& { return o.drain_timeout; })},
      {{"max_running", "MAX_RUNNING", "N", "sequences decoded together", "64"},
       Whole(1, 4096, [](O& o) -> int& { return o.max_running; })},
      {{"max_queue", "MAX_QUEUE", "N", "requests that may wait; beyond, 503 with Retry-After", "256"},
       Whole(1, 1 << 20, [](O& o) -> int& { return o.max_queue; })},
      {{"allowed_hosts", "ALLOWED_HOSTS", "NAME,NAME", "names by which browsers may reach this server", ""},
       StoreHosts},
      {{"pause_file", "PAUSE_FILE", "FILE", "for drills: the engine stands still while FILE exists", ""},
       Text(&O::pause_file)},
      {{"allow_unverified", "", "", "serve a model without a matching PASSED verdict", "false"}, StoreSwitch},
  };
  return *settings;
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const Setting& setting : Settings()) names.push_back(setting.info.name);
  return names;
}

absl::Status CheckNames(const std::map<std::string, std::string>& values, const char* source) {
  const std::vector<std::string> names = Names();
  for (const auto& item : values) {
    if (std::find(names.begin(), names.end(), item.first) != names.end()) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(source, item.first, " is not a setting of serve.", DidYouMean(item.first, names)));
  }
  return absl::OkStatus();
}

struct Found {
  std::string value, origin;
};

std::optional<Found> Find(const SettingInfo& info, const SettingSources& sources,
                          const std::map<std::string, std::string>& env_file) {
  if (auto it = sources.flags.find(info.name); it != sources.flags.end()) {
    return Found{it->second, absl::StrCat("flag --", info.name)};
  }
  if (!info.environment.empty()) {
    const char* value =
        sources.environment ? sources.environment(info.environment.c_str()) : std::getenv(info.environment.c_str());
    if (value != nullptr && *value != '\0') return Found{value, absl::StrCat("environment ", info.environment)};
    auto it = env_file.find(info.environment);
    if (it != env_file.end() && !it->second.empty()) {
      return Found{it->second, absl::StrCat(sources.env_file, " ", info.environment)};
    }
  }
  if (auto it = sources.config.find(info.name); it != sources.config.end()) return Found{it->second, "config file"};
  return std::nullopt;
}

absl::StatusOr<std::map<std::string, std::string>> ReadEnvFile(const SettingSources& sources) {
  if (!sources.env_file_given && !FileExists(sources.env_file)) return std::map<std::string, std::string>();
  ASSIGN_OR_RETURN(std::string text, ReadFile(sources.env_file, 1 << 20));
  return ParseEnvFile(text, sources.env_file);
}

}  // namespace

std::vector<SettingInfo> ServeSettings() {
  std::vector<SettingInfo> infos;
  for (const Setting& setting : Settings()) infos.push_back(setting.info);
  return infos;
}

absl::StatusOr<ResolvedSettings> ResolveServeSettings(const SettingSources& sources) {
  RETURN_IF_ERROR(CheckNames(sources.flags, "--"));
  RETURN_IF_ERROR(CheckNames(sources.config, "config file: "));
  ASSIGN_OR_RETURN(auto env_file, ReadEnvFile(sources));
  ResolvedSettings resolved;
  std::vector<std::string> variables;
  for (const Setting& setting : Settings()) {
    if (!setting.info.environment.empty()) variables.push_back(setting.info.environment);
    std::optional<Found> found = Find(setting.info, sources, env_file);
    if (!found) {
      resolved.values.push_back({setting.info.name, setting.info.default_value, "default"});
      continue;
    }
    std::string expected = setting.store(resolved.options, found->value);
    if (!expected.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(setting.info.name, " (", found->origin, "): \"",
                                                     found->value.substr(0, 80), "\" is not ", expected, "."));
    }
    std::string shown =
        setting.info.value.empty() ? (resolved.options.allow_unverified ? "true" : "false") : found->value;
    resolved.values.push_back({setting.info.name, shown, found->origin});
  }
  for (const auto& item : env_file) {
    std::string nearest = Nearest(item.first, variables);
    if (nearest.empty() || nearest == item.first || env_file.count(nearest) > 0) continue;
    if (std::find(variables.begin(), variables.end(), item.first) != variables.end()) continue;
    resolved.warnings.push_back(
        absl::StrCat(sources.env_file, ": ", item.first, " is not a setting. Did you mean \"", nearest, "\"?"));
  }
  return resolved;
}

std::string DescribeSettings(const ResolvedSettings& settings) {
  std::string text;
  for (const ResolvedSetting& setting : settings.values) {
    auto pad = [](std::string cell, size_t width) {
      return cell.append(width > cell.size() ? width - cell.size() : 0, ' ');
    };
    absl::StrAppend(&text, pad(setting.name, 17), " ", pad(setting.value.empty() ? "-" : setting.value, 24), " ",
                    setting.origin, "\n");
  }
  return text;
}

}  // namespace quern
