#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "serve/settings.h"

namespace quern {
namespace {

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

bool IsName(std::string_view name) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_";
  return !name.empty() && kLetters.find(name[0]) != std::string_view::npos &&
         name.find_first_not_of(std::string(kLetters) + "0123456789") == std::string_view::npos;
}

bool IsComment(std::string_view rest) { return Trim(rest).empty() || Trim(rest)[0] == '#'; }

// The value after "=": `problem` says what is wrong with it, or stays empty.
std::string ReadValue(std::string_view text, std::string& problem) {
  text = Trim(text);
  std::string value;
  if (text.empty() || (text[0] != '"' && text[0] != '\'')) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '#' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '\t')) break;
      value.push_back(text[i]);
    }
    return std::string(Trim(value));
  }
  const char quote = text[0];
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == quote) {
      if (!IsComment(text.substr(i + 1))) problem = "text after the closing quote";
      return value;
    }
    if (quote == '"' && text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      value.push_back(text[i] == 'n' ? '\n' : text[i] == 't' ? '\t' : text[i]);
    } else {
      value.push_back(text[i]);
    }
  }
  problem = "the quote is not closed on its line";
  return value;
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ParseEnvFile(std::string_view text, std::string_view what) {
  std::map<std::string, std::string> values;
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  for (int number = 1; !text.empty(); ++number) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    auto refuse = [&](std::string_view problem) {
      return absl::InvalidArgumentError(
          absl::StrCat(std::string(what), ":", number, ": ", std::string(problem), "; a line is NAME=value."));
    };
    if (line.find('\0') != std::string_view::npos) return refuse("a NUL byte");
    if (IsComment(line)) continue;
    size_t equals = line.find('=');
    if (equals == std::string_view::npos) return refuse("there is no \"=\"");
    std::string_view name = Trim(line.substr(0, equals));
    constexpr std::string_view kExport = "export ";
    if (name.substr(0, kExport.size()) == kExport) name = Trim(name.substr(kExport.size()));
    if (!IsName(name)) return refuse("the name is not made of letters, digits and _");
    std::string problem;
    std::string value = ReadValue(line.substr(equals + 1), problem);
    if (!problem.empty()) return refuse(problem);
    values[std::string(name)] = std::move(value);
  }
  return values;
}

}  // namespace quern
