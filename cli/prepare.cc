// quern prepare
#include "data/prepare.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"

namespace quern::cli {
namespace {

std::string Percent(int64_t part, int64_t whole) {
  return whole == 0 ? "-" : absl::StrFormat("%.1f%%", 100.0 * static_cast<double>(part) / static_cast<double>(whole));
}

std::string Table(const PrepareOptions& options, const PrepareResult& result) {
  std::string out = absl::StrFormat(
      "%s records read (%s): %s empty, %s duplicates dropped, %s kept\n\n", FormatCount(result.read),
      result.format == TextFormat::kJsonl ? "JSON lines" : std::string(RecordUnitName(result.unit)) + "s",
      FormatCount(result.empty), FormatCount(result.duplicates), FormatCount(result.kept));
  absl::StrAppendFormat(&out, "%-12s %12s %8s %10s  %s\n", "split", "records", "share", "size", "file");
  const std::pair<const char*, const PreparedSplit*> splits[] = {
      {"train", &result.train}, {"validation", &result.validation}, {"test", &result.test}, {"smoke", &result.smoke}};
  for (const auto& [name, split] : splits) {
    absl::StrAppendFormat(&out, "%-12s %12s %8s %10s  %s\n", name, FormatCount(split->records),
                          split == &result.smoke ? "" : Percent(split->records, result.kept), FormatBytes(split->bytes),
                          JoinPath(options.output_dir, split->file));
  }
  absl::StrAppend(&out, "\nmetadata: ", result.metadata_path, "\ncard:     ", JoinPath(options.output_dir, "README.md"),
                  "\n");
  return out;
}

class PrepareCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.Add("input_file", &options_.input_file, "F", "text or JSON lines: a file, a folder or a 'glob*'").Required();
    flags.Add("output_dir", &options_.output_dir, "D", "folder for the splits, metadata.json and the card").Required();
    flags.Add("train_ratio", &options_.train_ratio, "X", "share of the records to train on");
    flags.Add("val_ratio", &options_.val_ratio, "X", "share to validate on");
    flags.Add("test_ratio", &options_.test_ratio, "X", "share to test on; the three add up to 1");
    flags.Add("lower", &options_.lower, "", "lower-case the text");
    flags.Add("dedupe", &options_.dedupe, "", "keep only the first of records with the same text");
    flags.Add("format", &format_, "KIND", "how to read the input").Choices({"auto", "text", "jsonl"});
    flags.Add("unit", &unit_, "UNIT", "what a record is").Choices({"auto", "line", "paragraph", "file"});
    flags.Add("clean", &clean_, "on|off", "repair UTF-8, NFC, control characters, whitespace").Choices({"on", "off"});
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    options_.seed = global.seed;
    options_.clean = clean_ == "on";
    ASSIGN_OR_RETURN(options_.format, ParseTextFormat(format_));
    ASSIGN_OR_RETURN(options_.unit, ParseRecordUnit(unit_));
    RETURN_IF_ERROR(AsUsageError(CheckPrepareOptions(options_)));
    ASSIGN_OR_RETURN(const PrepareResult result, Prepare(options_));
    RETURN_IF_ERROR(Print(global.json ? WriteJson(result.metadata) : Table(options_, result)));
    return kDone;
  }

 private:
  PrepareOptions options_;
  std::string format_ = "auto", unit_ = "auto", clean_ = "on";
};

}  // namespace

extern const Verb kPrepare;
const Verb kPrepare = {
    .name = "prepare",
    .summary = "clean, deduplicate and split raw text",
    .usage = "--input_file F --output_dir D [flags]",
    .details =
        R"(Writes D/train, validation, test and smoke (.txt, or .jsonl from JSON lines), D/metadata.json with every
file's SHA-256, and D/README.md, a dataset card. A record is a line, or a paragraph where lines are
hard-wrapped. Records with the same text never land in two splits. The input is only read; after an
error or Ctrl-C nothing has changed.)",
    .examples = R"(quern prepare --input_file book.txt --output_dir data/book --dedupe
quern prepare --input_file 'corpus/*.jsonl' --output_dir data/corpus --train_ratio 0.9 --val_ratio 0.05 --test_ratio 0.05
quern prepare --input_file books/ --output_dir data/books --unit paragraph --seed 7)",
    .make = Make<PrepareCommand>,
};

}  // namespace quern::cli
