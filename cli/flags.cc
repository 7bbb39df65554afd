// The only file that includes CLI11, which takes five seconds to compile.
#include "cli/flags.h"

#include <cmath>
#include <type_traits>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status_macros.h"
#include "base/suggest.h"
#include "cli/exit_status.h"
#include "cli/value_text.h"

namespace quern::cli {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

std::string DescribeDefault(const Flag::Target& target) {
  return std::visit(
      Overloaded{[](bool*) { return std::string(); }, [](std::string* text) { return *text; },
                 [](std::vector<std::string>* items) { return absl::StrJoin(*items, ","); },
                 [](const Flag::Setter&) { return std::string(); }, [](auto* number) { return absl::StrCat(*number); }},
      target);
}

// Stores what was parsed, or says what is expected instead.
template <typename Value, typename Target>
absl::Status StoreIf(const std::optional<Value>& value, std::string_view expected, Target* target) {
  if (!value.has_value()) return UsageError(expected);
  *target = static_cast<Target>(*value);
  return absl::OkStatus();
}

template <typename T>
absl::Status StoreNumber(const std::string& value, T* target) {
  if constexpr (std::is_floating_point_v<T>) {
    return StoreIf(ParseReal(value), "takes a number", target);
  } else {
    return StoreIf(ParseWhole<T>(value), "takes a whole number", target);
  }
}

}  // namespace

std::string_view Name(Origin origin) {
  switch (origin) {
    case Origin::kDefault:
      return "default";
    case Origin::kConfigFile:
      return "config file";
    case Origin::kSet:
      return "--set";
    case Origin::kFlag:
      return "flag";
  }
  return "";
}

Flag::Flag(std::string name, Target target, std::string hint, std::string help)
    : name_(std::move(name)),
      hint_(std::move(hint)),
      help_(std::move(help)),
      default_text_(DescribeDefault(target)),
      target_(std::move(target)) {}

Flag& Flag::Required() { return required_ = true, *this; }
Flag& Flag::Range(double least, double greatest) { return range_ = {least, greatest}, *this; }
Flag& Flag::Choices(std::vector<std::string> choices) { return choices_ = std::move(choices), *this; }
Flag& Flag::Default(std::string text) { return default_text_ = std::move(text), *this; }
Flag& Flag::Group(std::string group) { return group_ = std::move(group), *this; }

absl::Status Flag::Store(const std::string& value) {
  if (range_.has_value()) {
    double real = 0;
    if (!absl::SimpleAtod(value, &real) || !(real >= range_->first && real <= range_->second)) {
      return UsageError(std::isinf(range_->second)
                            ? absl::StrCat("takes a number of at least ", range_->first)
                            : absl::StrCat("takes a number from ", range_->first, " to ", range_->second));
    }
  }
  return std::visit(
      Overloaded{[&](bool* target) { return StoreIf(ParseSwitch(value), "takes true or false", target); },
                 [&](std::string* target) { return *target = value, absl::OkStatus(); },
                 [&](std::vector<std::string>* items) { return items->push_back(value), absl::OkStatus(); },
                 [&](const Setter& set) { return set(value); },
                 [&](auto* target) { return StoreNumber(value, target); }},
      target_);
}

absl::Status Flag::Assign(const std::string& value, Origin origin) {
  for (size_t i = 0; i < choices_.size() && choices_[i] != value; ++i) {
    if (i + 1 < choices_.size()) continue;
    return UsageError(absl::StrCat("--", name_, " takes ", absl::StrJoin(choices_, ", "), "; got \"", value, "\".",
                                   DidYouMean(value, choices_)));
  }
  if (auto* items = std::get_if<std::vector<std::string>*>(&target_); items != nullptr && origin != origin_) {
    (*items)->clear();
  }
  if (const absl::Status stored = Store(value); !stored.ok()) {
    return UsageError(absl::StrCat("--", name_, " ", stored.message(), "; got \"", value, "\""));
  }
  origin_ = origin;
  return absl::OkStatus();
}

Flag& Flags::Add(std::string name, Flag::Target target, std::string hint, std::string help) {
  return flags_.emplace_back(std::move(name), std::move(target), std::move(hint), std::move(help));
}

Flag& Flags::AddPositional(std::string name, Flag::Target target, std::string hint, std::string help) {
  positional_ = &Add(std::move(name), std::move(target), std::move(hint), std::move(help));
  return *positional_;
}

Flag* Flags::Find(std::string_view name) {
  for (Flag& flag : flags_) {
    if (flag.name() == name) return &flag;
  }
  return nullptr;
}

const Flag* Flags::Find(std::string_view name) const { return const_cast<Flags*>(this)->Find(name); }

std::vector<FlagShape> Flags::Shapes() const {
  std::vector<FlagShape> shapes = {{"help", ""}};
  for (const Flag& flag : flags_) shapes.push_back({flag.name(), flag.hint()});
  return shapes;
}

absl::Status Flags::Parse(const std::vector<std::string>& args) {
  std::vector<std::string> pairs;
  ASSIGN_OR_RETURN(pairs, NormalizeFlags(args, Shapes()));
  CLI::App app;
  app.set_help_flag();
  // Raw results: CLI11's own conversions treat "{}" and "[1]" as lists.
  for (const Flag& flag : flags_) app.add_option("--" + flag.name())->expected(1)->allow_extra_args(false)->take_all();
  CLI::Option* rest = nullptr;
  if (positional_ != nullptr) {
    rest = app.add_option("positional")->expected(1)->allow_extra_args(positional_->repeated())->take_all();
  }
  try {
    app.parse(std::vector<std::string>(pairs.rbegin(), pairs.rend()));
  } catch (const CLI::ExtrasError&) {
    const auto dashes = std::find(pairs.begin(), pairs.end(), "--");
    const size_t taken = positional_ == nullptr ? 1 : 2;
    const size_t at = static_cast<size_t>(dashes - pairs.begin()) + taken;
    return UsageError(absl::StrCat("unexpected argument \"", at < pairs.size() ? pairs[at] : "", "\""));
  } catch (const CLI::Error& error) {
    return UsageError(error.what());
  }
  for (Flag& flag : flags_) {
    for (const std::string& value : app.get_option("--" + flag.name())->results()) {
      RETURN_IF_ERROR(flag.Assign(value, Origin::kFlag));
    }
  }
  if (rest == nullptr) return absl::OkStatus();
  for (const std::string& value : rest->results()) RETURN_IF_ERROR(positional_->Assign(value, Origin::kFlag));
  return absl::OkStatus();
}

absl::Status Flags::Set(const std::string& assignment) {
  const size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0) {
    return UsageError(absl::StrCat("--set takes name=value; got \"", assignment, "\""));
  }
  const std::string name = assignment.substr(0, equals);
  Flag* flag = Find(name);
  if (flag == nullptr) {
    std::vector<std::string> names;
    for (const Flag& known : flags_) names.push_back(known.name());
    return UsageError(
        absl::StrCat("--set ", assignment, ": there is no field \"", name, "\".", DidYouMean(name, names)));
  }
  if (flag->origin() == Origin::kFlag) return absl::OkStatus();
  return flag->Assign(assignment.substr(equals + 1), Origin::kSet);
}

absl::Status Flags::CheckRequired() const {
  std::vector<std::string> missing;
  for (const Flag& flag : flags_) {
    if (!flag.required() || flag.origin() != Origin::kDefault) continue;
    missing.push_back(&flag == positional_ ? flag.hint() : absl::StrCat("--", flag.name(), " ", flag.hint()));
  }
  if (missing.empty()) return absl::OkStatus();
  return UsageError(absl::StrCat(absl::StrJoin(missing, ", "), missing.size() == 1 ? " is" : " are", " missing"));
}

bool Flags::Given(std::string_view name) const {
  const Flag* flag = Find(name);
  return flag != nullptr && flag->origin() != Origin::kDefault;
}

}  // namespace quern::cli
