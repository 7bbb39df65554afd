#include "data/dataset_card.h"

#include <algorithm>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/file.h"
#include "base/progress.h"
#include "data/split.h"

namespace quern {
namespace {

std::string Count(const Json& number) { return FormatCount(number.get<int64_t>()); }

// A name in Markdown code: backquotes would end it, line ends would break the table.
std::string Code(const std::string& name) {
  std::string out = "`";
  for (char c : name) out += c == '`' || static_cast<unsigned char>(c) < 0x20 ? '?' : c;
  return out + "`";
}

// A name as a word of the shell.
std::string ShellWord(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '/' || c == '.' || c == '_' || c == '-';
  });
  if (plain && !name.empty()) return name;
  return absl::StrCat("'", absl::StrReplaceAll(name, {{"'", "'\\''"}}), "'");
}

std::string FrontMatter(const Json& metadata) {
  const Json& settings = metadata["settings"];
  const std::string name = Basename(metadata["source"]["path"].get<std::string>());
  std::string configs, splits;
  uint64_t bytes = 0;
  for (const char* split : kSplitNames) {
    const Json& entry = metadata["splits"][split];
    if (entry["records"] == 0) continue;
    bytes += entry["bytes"].get<uint64_t>();
    absl::StrAppend(&configs, "  - split: ", split, "\n    path: ", entry["file"].get<std::string>(), "\n");
    absl::StrAppend(&splits, "  - name: ", split, "\n    num_bytes: ", entry["bytes"].get<uint64_t>(),
                    "\n    num_examples: ", entry["records"].get<int64_t>(), "\n");
  }
  return absl::StrCat("---\npretty_name: ", WriteJsonLine(name), "\nlanguage:\n- ",
                      metadata["language"]["code"].get<std::string>(), "\nlicense: unknown\nsize_categories:\n- ",
                      SizeCategory(metadata["counts"]["kept"].get<int64_t>()),
                      "\ntask_categories:\n- text-generation\nsource_datasets:\n- original\nconfigs:\n",
                      "- config_name: default\n  data_files:\n", configs,
                      // Without this the Hub's loader takes each line of a paragraph for an example.
                      settings["unit"] == "paragraph" ? "  sample_by: paragraph\n" : "",
                      "dataset_info:\n  features:\n  - name: text\n    dtype: string\n  splits:\n", splits,
                      "  dataset_size: ", bytes, "\n---\n");
}

std::string Command(const Json& metadata) {
  const Json& settings = metadata["settings"];
  std::string out =
      absl::StrCat("quern prepare --input_file ", ShellWord(metadata["source"]["path"].get<std::string>()),
                   " --output_dir . \\\n  --train_ratio ", settings["train_ratio"].dump(), " --val_ratio ",
                   settings["val_ratio"].dump(), " --test_ratio ", settings["test_ratio"].dump(), " --seed ",
                   settings["seed"].dump());
  absl::StrAppend(&out, " --format ", settings["format"].get<std::string>());
  if (settings["format"] == "text") absl::StrAppend(&out, " --unit ", settings["unit"].get<std::string>());
  if (settings["lower"] == true) out += " --lower";
  if (settings["dedupe"] == true) out += " --dedupe";
  if (settings["clean"] == false) out += " --clean off";
  return out;
}

std::string RecordKind(const Json& settings) {
  if (settings["format"] == "jsonl") return "a JSON line with a field `text`; its other fields are kept as they were";
  if (settings["unit"] == "paragraph") return "a paragraph; a blank line separates one from the next";
  if (settings["unit"] == "file") return "a file of the source; a blank line separates one from the next";
  return "a line";
}

std::string Cleaning(const Json& metadata) {
  const Json& c = metadata["cleaning"];
  std::string out;
  if (metadata["settings"]["clean"] == true) {
    absl::StrAppend(&out, "Text is valid UTF-8 in Unicode normalisation form C, without control characters and ",
                    "superfluous spaces. Cleaning replaced ", Count(c["invalid_utf8"]),
                    " ill-formed UTF-8 sequences, removed ", Count(c["control_characters"]),
                    " control characters, normalised ", Count(c["normalized"]),
                    " records and rearranged the spaces of ", Count(c["whitespace"]), "; ", Count(c["changed"]),
                    " records changed in all.");
  } else {
    out = "Text was not cleaned: records are the bytes of the source.";
  }
  if (metadata["settings"]["lower"] == true) {
    absl::StrAppend(&out, " Text is in lower case (", Count(c["lowered"]), " records changed).");
  }
  return out;
}

std::string SplitTable(const Json& metadata) {
  std::string out = "| split | file | records | bytes | share of records |\n|---|---|---:|---:|---:|\n";
  const double kept = metadata["counts"]["kept"].get<double>();
  for (const char* split : kSplitNames) {
    const Json& entry = metadata["splits"][split];
    char share[32];
    snprintf(share, sizeof(share), "%.2f %%", 100 * entry["records"].get<double>() / kept);
    absl::StrAppend(&out, "| ", split, " | ", Code(entry["file"].get<std::string>()), " | ", Count(entry["records"]),
                    " | ", Count(entry["bytes"]), " | ", share, " |\n");
  }
  const Json& smoke = metadata["outputs"]["smoke"];
  absl::StrAppend(&out, "| smoke (for quick checks; part of the splits above) | ",
                  Code(smoke["path"].get<std::string>()), " | ", Count(smoke["records"]), " | ", Count(smoke["bytes"]),
                  " | |\n");
  return out;
}

}  // namespace

std::string SizeCategory(int64_t records) {
  if (records < 1000) return "n<1K";
  constexpr const char* kNames[] = {"1K", "10K", "100K", "1M", "10M", "100M", "1B", "10B", "100B", "1T"};
  int64_t above = 10000;
  for (int i = 0; i + 1 < 10; ++i, above *= 10) {
    if (records < above) return absl::StrCat(kNames[i], "<n<", kNames[i + 1]);
  }
  return "n>1T";
}

std::string WriteDatasetCard(const Json& metadata) {
  const Json& source = metadata["source"];
  const Json& counts = metadata["counts"];
  const Json& settings = metadata["settings"];
  const std::string name = Basename(source["path"].get<std::string>());
  std::string out = FrontMatter(metadata);
  absl::StrAppend(&out, "\n# ", Code(name), ", prepared\n\nText for language models, made by `quern prepare` from ",
                  Code(source["path"].get<std::string>()), ": ", Count(source["bytes"]), " bytes");
  if (source.contains("files")) absl::StrAppend(&out, " in ", source["files"].size(), " files");
  absl::StrAppend(&out, ", SHA-256 `", source["sha256"].get<std::string>(), "`.\n\nA record is ", RecordKind(settings),
                  ".\n\n## Splits\n\n", SplitTable(metadata),
                  "\nNo text is in two splits: a record's split follows from a SHA-256 of its text under seed ",
                  settings["seed"].dump(), ". Records keep the order of the source.\n\n");
  absl::StrAppend(&out, "## Counts\n\n| records | |\n|---|---:|\n| read | ", Count(counts["read"]), " |\n| empty | ",
                  Count(counts["empty"]), " |\n| duplicates removed | ", Count(counts["duplicates"]), " |\n| kept | ",
                  Count(counts["kept"]), " |\n\n",
                  settings["dedupe"] == true ? "" : "Duplicates were not looked for.\n\n");
  absl::StrAppend(&out, "## Cleaning\n\n", Cleaning(metadata), "\n\n## Language\n\n",
                  Code(metadata["language"]["code"].get<std::string>()), ": ",
                  metadata["language"]["evidence"].get<std::string>(), ", in a sample.\n\n");
  absl::StrAppend(
      &out, "## How to make it again\n\nIn this folder:\n\n```\n", Command(metadata),
      "\n```\n\n`metadata.json` holds all of this for programs, with the SHA-256 of the source and of every ",
      "split.\n\n## Licence, origin, limits\n\nThe licence and the origin of the source are not known to the ",
      "tool that wrote this card; state them here before passing the data on. Nobody has reviewed the text ",
      "for personal data or for harmful content.\n");
  return out;
}

}  // namespace quern
