#include "cli/help.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "cli/verbs.h"

namespace quern::cli {
namespace {

constexpr size_t kColumns = 100;
constexpr size_t kLongestLeft = 34;

// The words of `text` on lines that begin at `column` and end before kColumns.
std::string Wrapped(std::string_view text, size_t column) {
  std::string out;
  size_t at = column;
  for (const absl::string_view word : absl::StrSplit(absl::string_view(text.data(), text.size()), ' ')) {
    if (at > column && at + 1 + word.size() > kColumns) {
      absl::StrAppend(&out, "\n", std::string(column, ' '));
      at = column;
    } else if (at > column) {
      out += " ";
      ++at;
    }
    absl::StrAppend(&out, word);
    at += word.size();
  }
  return out + "\n";
}

// `left` in a column of `width`, `right` wrapped beside it.
std::string Row(std::string_view left, std::string_view right, size_t width) {
  std::string out = absl::StrCat("  ", std::string(left));
  const size_t start = width + 4;
  if (out.size() + 2 > start) absl::StrAppend(&out, "\n", std::string(start, ' '));
  out.append(start > out.size() ? start - out.size() : 0, ' ');
  return out + Wrapped(right, start);
}

std::string Left(const Flag& flag) {
  return absl::StrCat("--", flag.name(), flag.hint().empty() ? "" : " ", flag.hint());
}

std::string Right(const Flag& flag) {
  std::string text = flag.help();
  const bool listed = flag.hint().find('|') != std::string::npos;
  if (!flag.choices().empty() && !listed)
    absl::StrAppend(&text, text.empty() ? "" : ": ", absl::StrJoin(flag.choices(), ", "));
  if (flag.required()) return text + " (required)";
  if (flag.repeated()) text += " (repeatable)";
  return flag.default_text().empty() ? text : absl::StrCat(text, " (default ", flag.default_text(), ")");
}

std::string Indented(std::string_view lines) {
  std::string out;
  for (const absl::string_view line : absl::StrSplit(absl::string_view(lines.data(), lines.size()), '\n')) {
    absl::StrAppend(&out, line.empty() ? "" : "  ", line, "\n");
  }
  return out;
}

// Paragraphs, wrapped; blank and indented lines stay as they are.
std::string Reflowed(std::string_view lines) {
  std::string out, paragraph;
  const auto flush = [&] {
    if (!paragraph.empty()) absl::StrAppend(&out, "  ", Wrapped(paragraph, 2));
    paragraph.clear();
  };
  for (const absl::string_view line : absl::StrSplit(absl::string_view(lines.data(), lines.size()), '\n')) {
    if (!line.empty() && line[0] != ' ') {
      absl::StrAppend(&paragraph, paragraph.empty() ? "" : " ", line);
      continue;
    }
    flush();
    absl::StrAppend(&out, line.empty() ? "" : "  ", line, "\n");
  }
  flush();
  return out;
}

std::string FlagTable(const Flags& flags) {
  std::vector<std::string> groups;
  size_t width = 0;
  for (const Flag& flag : flags.all()) {
    if (std::find(groups.begin(), groups.end(), flag.group()) == groups.end()) groups.push_back(flag.group());
    if (Left(flag).size() <= kLongestLeft) width = std::max(width, Left(flag).size());
  }
  std::string out;
  for (const std::string& group : groups) {
    absl::StrAppend(&out, "\n", group.empty() ? "Flags" : group, ":\n");
    for (const Flag& flag : flags.all()) {
      if (flag.group() == group) out += Row(Left(flag), Right(flag), width);
    }
  }
  return out;
}

std::string VerbRows(std::string_view prefix) {
  std::string out;
  for (const Verb* verb : Verbs()) {
    if (verb->name.substr(0, prefix.size()) == prefix) out += Row(verb->name, verb->summary, 18);
  }
  return out;
}

}  // namespace

std::string VerbHelp(const Verb& verb, const Flags& flags) {
  const std::string name(verb.name);
  std::string out = absl::StrCat("quern ", name, ": ", std::string(verb.summary), "\n\nUsage:\n  quern ", name,
                                 verb.usage.empty() ? "" : " ", std::string(verb.usage), "\n");
  if (!verb.details.empty()) absl::StrAppend(&out, "\n", Reflowed(verb.details));
  out += FlagTable(flags);
  absl::StrAppend(&out, "\nExamples:\n", Indented(verb.examples));
  return out;
}

std::string Overview() {
  return absl::StrCat(
      "quern: from raw text to a served language model\n\n"
      "Usage:\n  quern VERB [flags]\n\nVerbs:\n",
      VerbRows(""),
      "\nThe whole arc:\n"
      "  quern prepare --input_file book.txt --output_dir data/book\n"
      "  quern tokenizer train --input_file data/book/train.txt --vocab_size 4096 --output_file "
      "data/book/tokenizer.json\n"
      "  quern train --train_file data/book/train.txt --validation_file data/book/validation.txt \\\n"
      "              --tokenizer data/book/tokenizer.json --output_dir artifacts/book\n"
      "  quern eval --model_name artifacts/book --test_file data/book/test.txt\n"
      "  quern gate --model_name artifacts/book --policy runs/smoke_gate.txtpb\n"
      "  quern serve --model_name artifacts/book\n"
      "\n`quern VERB --help` explains a verb, `quern --version` says what this binary is.\n"
      "Exit status: 0 done, 1 negative verdict, 2 usage, 3 input refused, 4 environment (disk, device, port),\n"
      "130 or 143 interrupted, with the state saved.\n");
}

std::string GroupHelp(std::string_view group) {
  const std::string name(group);
  return absl::StrCat("Usage:\n  quern ", name, " VERB [flags]\n\nVerbs:\n", VerbRows(name + " "), "\n`quern ", name,
                      " VERB --help` explains one.\n");
}

}  // namespace quern::cli
