#include "cli/quern.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "base/thread_pool.h"
#include "cli/exit_status.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/verbs.h"
#include "kernels/isa.h"
#include "tensor/device.h"

namespace quern::cli {
namespace {

void DeclareGlobal(GlobalFlags* global, Flags& flags) {
  constexpr char kGroup[] = "Everywhere";
  flags.Add("json", &global->json, "", "print the result as JSON").Group(kGroup);
  flags.Add("quiet", &global->quiet, "", "no progress, and no messages but warnings and errors").Group(kGroup);
  flags.Add("seed", &global->seed, "N", "of all random numbers").Group(kGroup);
  flags.Add("threads", &global->threads, "N", "threads; results do not depend on it; 0: one per core")
      .Range(0, 1024)
      .Group(kGroup);
  flags.Add("isa", &global->isa, "SET", "vector instructions: auto, reference, avx2, avx512, avx512_bf16")
      .Group(kGroup);
  flags.Add("device", &global->device, "D", "cpu; models do not run on cuda or cuda:N so far").Group(kGroup);
  flags.Add("dtype", &global->dtype, "T", "arithmetic; models compute in f32 so far, bf16 is refused").Group(kGroup);
  flags.Add("config", &global->config, "FILE", "protobuf text whose fields are the flags; flags count more")
      .Group(kGroup);
  flags.Add("set", &global->sets, "A.B=VALUE", "set a field of the config").Group(kGroup);
}

absl::Status ApplyGlobal(const GlobalFlags& global) {
  if (global.quiet) {
    SetMinLogSeverity(LogSeverity::kWarning);
    Progress::SetQuiet(true);
  }
  absl::StatusOr<Isa> isa = ParseIsa(global.isa);
  if (!isa.ok()) return absl::IsInvalidArgument(isa.status()) ? AsUsageError(isa.status()) : isa.status();
  SetIsa(*isa);
  absl::StatusOr<Device> device = ParseDevice(global.device);
  if (!device.ok()) return absl::IsInvalidArgument(device.status()) ? AsUsageError(device.status()) : device.status();
  if (!device->is_cpu())
    return UsageError(absl::StrCat("--device ", global.device, ": models run on the cpu only yet"));
  if (global.dtype == "bf16") return UsageError("--dtype bf16: models compute in f32 only yet");
  if (global.dtype != "f32") {
    return UsageError(absl::StrCat("--dtype takes f32 or bf16; got \"", global.dtype, "\""));
  }
  ThreadPool::SetDefaultThreads(global.threads);
  return absl::OkStatus();
}

// The verb that `args` begin with, by one word or two.
const Verb* FindVerb(const std::vector<std::string>& args) {
  for (const Verb* verb : Verbs()) {
    if (args.front() == verb->name || (args.size() > 1 && args[0] + " " + args[1] == verb->name)) return verb;
  }
  return nullptr;
}

bool IsGroup(const std::string& word) {
  for (const Verb* verb : Verbs()) {
    if (verb->name.substr(0, word.size() + 1) == word + " ") return true;
  }
  return false;
}

absl::Status UnknownVerb(const std::vector<std::string>& args) {
  const bool in_group = IsGroup(args[0]);
  if (in_group && args.size() < 2) {
    return UsageError(absl::StrCat("say what to do; see quern ", args[0], " --help"));
  }
  const std::string wanted = in_group ? args[0] + " " + args[1] : args[0];
  std::vector<std::string> names;
  for (const Verb* verb : Verbs()) names.emplace_back(verb->name);
  return UsageError(absl::StrCat("there is no verb \"", wanted, "\".", DidYouMean(wanted, names), " See quern ",
                                 in_group ? args[0] + " " : "", "--help"));
}

absl::StatusOr<int> RunVerb(const Verb& verb, const std::vector<std::string>& args) {
  GlobalFlags global;
  Flags flags;
  std::unique_ptr<Command> command = verb.make();
  command->Declare(flags);
  DeclareGlobal(&global, flags);
  for (const std::string& arg : args) {
    if (arg == "--") break;
    if (arg != "--help" && arg != "-h") continue;
    RETURN_IF_ERROR(Print(VerbHelp(verb, flags)));
    return kDone;
  }
  RETURN_IF_ERROR(flags.Parse(args));
  RETURN_IF_ERROR(command->ApplyConfig(global, flags));
  RETURN_IF_ERROR(flags.CheckRequired());
  RETURN_IF_ERROR(ApplyGlobal(global));
  return command->Run(global, flags);
}

// One line, without Abseil's "CODE: ".
int Report(std::string_view verb, const absl::Status& status) {
  const int exit = ExitStatus(status);
  if (exit == kUsage) {
    LOG(ERROR) << "quern" << (verb.empty() ? "" : " ") << verb << ": " << status.message();
    if (!verb.empty()) LOG(INFO) << "(quern " << verb << " --help explains every flag)";
  } else if (absl::IsCancelled(status)) {
    LOG(WARNING) << status.message();
  } else {
    LOG(ERROR) << status.message();
  }
  return exit;
}

std::string Version() {
  return absl::StrCat("quern 0.1.0 (", kBuiltWithCuda ? "cpu and cuda" : "cpu",
                      "; best instruction set here: ", std::string(Name(DetectIsa())), ")\n");
}

std::vector<FlagShape> GlobalShapes() {
  GlobalFlags global;
  Flags flags;
  DeclareGlobal(&global, flags);
  return flags.Shapes();
}

int PrintAndExit(const std::string& text) {
  const absl::Status printed = Print(text);
  return printed.ok() ? kDone : Report("", printed);
}

}  // namespace

absl::Status Command::ApplyConfig(const GlobalFlags& global, Flags& flags) {
  // The values below may change `global` itself.
  const std::vector<std::string> sets = global.sets;
  if (!global.config.empty()) RETURN_IF_ERROR(flags.ReadConfigFile(std::string(global.config)));
  for (const std::string& assignment : sets) RETURN_IF_ERROR(flags.Set(assignment));
  return absl::OkStatus();
}

int RunQuern(const std::vector<std::string>& given) {
  std::vector<std::string> args = VerbFirst(given, GlobalShapes());
  if (!args.empty() && args[0] == "help") {
    args.erase(args.begin());
    args.push_back("--help");
  }
  if (args.empty() || args[0] == "--help" || args[0] == "-h") return PrintAndExit(Overview());
  if (args[0] == "--version") return PrintAndExit(Version());
  const Verb* verb = FindVerb(args);
  if (verb == nullptr) {
    const bool wants_help = args.back() == "--help" || args.back() == "-h";
    if (wants_help && args.size() == 2 && IsGroup(args[0])) return PrintAndExit(GroupHelp(args[0]));
    return Report("", UnknownVerb(args));
  }
  args.erase(args.begin(), args.begin() + (verb->name.find(' ') == std::string_view::npos ? 1 : 2));
  absl::StatusOr<int> exit = RunVerb(*verb, args);
  return exit.ok() ? *exit : Report(verb->name, exit.status());
}

int Main(int argc, char** argv, const std::string& first) {
  InstallInterruptHandlers();
  // `bazel run` starts programs among their runfiles; a user's relative paths are meant from where he stands.
  std::error_code ignored;
  const char* caller = std::getenv("BUILD_WORKING_DIRECTORY");
  if (caller != nullptr && std::filesystem::current_path(ignored).string().find(".runfiles") != std::string::npos) {
    std::filesystem::current_path(caller, ignored);
  }
  std::vector<std::string> args(argv + 1, argv + argc);
  if (!first.empty()) args.insert(args.begin(), first);
  return RunQuern(args);
}

}  // namespace quern::cli
