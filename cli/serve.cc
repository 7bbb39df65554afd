// quern serve
#include "serve/server.h"

#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "serve/settings.h"

namespace quern::cli {
namespace {

class ServeCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    for (const SettingInfo& setting : ServeSettings()) {
      if (setting.name == "device") continue;  // every verb has it
      const std::string variable = setting.environment.empty() ? "" : absl::StrCat(" [", setting.environment, "]");
      const bool is_switch = setting.value.empty();
      flags.Add(setting.name, &values_[setting.name], setting.value, setting.help + variable)
          .Default(is_switch ? "" : setting.default_value);
    }
    flags.Add("env_file", &sources_.env_file, "F", "NAME=value lines, read where it exists");
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags& flags) override {
    for (const auto& [name, value] : values_) {
      const Origin origin = flags.Find(name)->origin();
      if (origin == Origin::kConfigFile) sources_.config[name] = value;
      if (origin == Origin::kFlag || origin == Origin::kSet) sources_.flags[name] = value;
    }
    if (flags.Given("device")) sources_.flags["device"] = global.device;
    sources_.env_file_given = flags.Given("env_file");
    absl::StatusOr<ResolvedSettings> settings = ResolveServeSettings(sources_);
    if (!settings.ok()) {
      return absl::IsInvalidArgument(settings.status()) ? AsUsageError(settings.status()) : settings.status();
    }
    for (const std::string& warning : settings->warnings) LOG(WARNING) << warning;
    LOG(INFO) << absl::StripTrailingAsciiWhitespace(DescribeSettings(*settings));
    if (settings->options.model_name.empty()) return UsageError("--model_name M is missing (or MODEL_NAME)");
    const absl::Status served = Serve(settings->options);
    if (absl::IsFailedPrecondition(served)) {
      LOG(ERROR) << served.message();
      return kNegativeVerdict;
    }
    if (!served.ok()) return served;
    return kDone;
  }

 private:
  std::map<std::string, std::string> values_;  // addresses stay
  SettingSources sources_;
};

}  // namespace

extern const Verb kServe;
const Verb kServe = {
    .name = "serve",
    .summary = "answer over HTTP, with a page to try it",
    .usage = "--model_name M [flags]",
    .details =
        R"(Prints `listening on http://HOST:PORT`. GET / is a page, POST /api/generate answers, GET /metrics counts.
Refuses a model without a matching PASSED verdict of `quern gate` (exit status 1). SIGTERM finishes the
answers under way. A value's origin: flag, then the environment variable in [brackets], then --env_file,
then --config, then the default.)",
    .examples = R"(quern serve --model_name artifacts/book
quern serve --model_name gpt2 --allow_unverified --host 0.0.0.0 --port 8080
curl -s localhost:8000/api/generate -d '{"prompt": "In the beginning", "max_new_tokens": 32}')",
    .make = Make<ServeCommand>,
};

}  // namespace quern::cli
