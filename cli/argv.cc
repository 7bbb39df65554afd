#include "cli/argv.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/suggest.h"
#include "cli/exit_status.h"

namespace quern::cli {
namespace {

struct Written {
  bool is_flag = false;
  std::string name;
  bool has_value = false;
  std::string value;
};

Written ReadFlag(const std::string& arg) {
  Written written;
  if (arg.size() < 2 || arg[0] != '-' || arg == "--") return written;
  const std::string_view text = arg;
  // "-5" is a value.
  if (text[1] >= '0' && text[1] <= '9') return written;
  const size_t equals = text.find('=');
  written.is_flag = true;
  written.has_value = equals != std::string_view::npos;
  if (written.has_value) written.value = std::string(text.substr(equals + 1));
  const size_t start = std::min(text.find_first_not_of('-'), text.size());
  written.name = std::string(text.substr(start, std::min(equals, text.size()) - start));
  std::replace(written.name.begin(), written.name.end(), '-', '_');
  if (arg == "-h") written.name = "help";
  return written;
}

const FlagShape* Find(const std::vector<FlagShape>& flags, const std::string& name) {
  for (const FlagShape& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

absl::Status Unknown(const std::string& arg, const std::string& name, const std::vector<FlagShape>& flags) {
  std::vector<std::string> names;
  for (const FlagShape& flag : flags) names.push_back(flag.name);
  const std::string nearest = Nearest(name, names);
  return UsageError(absl::StrCat("unknown flag ", arg.substr(0, arg.find('=')), ".",
                                 nearest.empty() ? "" : absl::StrCat(" Did you mean --", nearest, "?")));
}

}  // namespace

absl::StatusOr<std::vector<std::string>> NormalizeFlags(const std::vector<std::string>& args,
                                                        const std::vector<FlagShape>& flags) {
  std::vector<std::string> pairs, positional;
  for (size_t i = 0; i < args.size(); ++i) {
    const Written written = ReadFlag(args[i]);
    if (args[i] == "--") {
      positional.insert(positional.end(), args.begin() + static_cast<long>(i) + 1, args.end());
      break;
    }
    if (!written.is_flag) {
      positional.push_back(args[i]);
      continue;
    }
    const FlagShape* flag = Find(flags, written.name);
    // Two dashes, but for -h: "-json" is a slip that would otherwise pass unnoticed.
    if (flag == nullptr || (args[i][1] != '-' && args[i] != "-h")) return Unknown(args[i], written.name, flags);
    pairs.push_back("--" + flag->name);
    if (written.has_value) {
      pairs.push_back(written.value);
    } else if (flag->is_switch()) {
      pairs.push_back("true");
    } else if (i + 1 == args.size()) {
      return UsageError(absl::StrCat("--", flag->name, " needs a value: --", flag->name, " ", flag->hint));
    } else if (const Written next = ReadFlag(args[i + 1]);
               args[i + 1] == "--" || (next.is_flag && Find(flags, next.name) != nullptr)) {
      return UsageError(absl::StrCat("--", flag->name, " needs a value, but the flag ", args[i + 1],
                                     " follows; for a value that looks like a flag write --", flag->name, "=VALUE"));
    } else {
      pairs.push_back(args[++i]);
    }
  }
  if (positional.empty()) return pairs;
  pairs.push_back("--");
  pairs.insert(pairs.end(), positional.begin(), positional.end());
  return pairs;
}

std::vector<std::string> VerbFirst(const std::vector<std::string>& args, const std::vector<FlagShape>& flags) {
  size_t verb = 0;
  while (verb < args.size()) {
    const Written written = ReadFlag(args[verb]);
    if (!written.is_flag) break;
    const FlagShape* flag = Find(flags, written.name);
    verb += flag != nullptr && !flag->is_switch() && !written.has_value ? 2 : 1;
  }
  if (verb >= args.size() || args[verb] == "--") return args;
  // Behind everything else, since a verb has one word or two ("tokenizer train").
  const auto first = args.begin() + static_cast<long>(verb), end = std::find(first, args.end(), "--");
  std::vector<std::string> moved(first, end);
  moved.insert(moved.end(), args.begin(), first);
  moved.insert(moved.end(), end, args.end());
  return moved;
}

}  // namespace quern::cli
