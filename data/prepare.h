// `quern prepare`: raw text -> cleaned, deduplicated, split records, a dataset card and metadata.json.
//
// Input: a text file, a JSON-lines file ({"text": ...} and any other fields), a folder (every file below it that is not
// hidden, in the byte order of its path) or a glob. A record is a line; a paragraph between blank lines where lines are
// hard-wrapped (data/text_shape.h says how that is recognised); a whole file; or a JSON line.
//
// Output, in `output_dir`: train, validation, test and smoke `.txt` (`.jsonl` from JSON lines), README.md (the dataset
// card) and metadata.json (sealed, base/lineage.h). Line records end with "\n"; paragraphs and files are separated by a
// blank line. Records keep the input's order. A split whose ratio is 0 is an empty file. JSON lines keep every byte of
// their other fields. `smoke` holds 10 to 50 lines of the training split, for checks that take a second.
//
// Guarantees:
//   read = empty + duplicates + kept; kept = train + validation + test.
//   Records with the same text are in the same split, also without `dedupe`: the split is decided by SHA-256(seed,
//   text), never by position. Ratios are met exactly in records, but where groups of equal records are too large.
//   The same input, options and seed give the same bytes (but for `timestamp`) at any thread count.
//   Either everything is written or nothing changes, after an error and after Ctrl-C. Files in `output_dir` that
//   prepare did not write are kept; where one has the name of an output, prepare refuses. The input is only read.
//   Memory: 25 bytes per record and a few blocks of 8 MB; a record must fit in memory. Two passes over the input.
#ifndef QUERN_DATA_PREPARE_H_
#define QUERN_DATA_PREPARE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "data/clean.h"
#include "data/text_shape.h"

namespace quern {

struct PrepareOptions {
  std::string input_file;  // file, folder or glob
  std::string output_dir;
  double train_ratio = 0.8;
  double val_ratio = 0.1;
  double test_ratio = 0.1;
  bool lower = false;   // lower-cases the text (Unicode, root locale)
  bool dedupe = false;  // keeps the first of records with the same cleaned text
  TextFormat format = TextFormat::kAuto;
  RecordUnit unit = RecordUnit::kAuto;
  uint64_t seed = 0;
  bool clean = true;  // data/clean.h; off: records are copied byte for byte
};

struct PreparedSplit {
  std::string file;  // name in output_dir
  std::string sha256;
  int64_t records = 0;
  uint64_t bytes = 0;
};

struct PrepareResult {
  int64_t read = 0, empty = 0, duplicates = 0, kept = 0;
  PreparedSplit train, validation, test, smoke;
  TextFormat format = TextFormat::kText;  // as decided, never kAuto
  RecordUnit unit = RecordUnit::kLine;    // as decided; kLine for JSON lines
  CleanCounts cleaning;
  std::string metadata_path;
  Json metadata;  // what metadata.json holds, less its seal
};

// What is wrong with the options by themselves (a ratio outside [0, 1], a sum other than 1, an empty name):
// InvalidArgument naming the flag. The command line turns this into a usage error.
absl::Status CheckPrepareOptions(const PrepareOptions& options);

// Errors: NotFound, PermissionDenied (files); InvalidArgument (options; empty or binary input, with the byte offset; a
// malformed JSON line, with its number; fewer distinct records than splits; an output that is the input or lies within
// it, or a foreign file in the way); ResourceExhausted, Unavailable (disk); Cancelled after an interrupt.
absl::StatusOr<PrepareResult> Prepare(const PrepareOptions& options);

}  // namespace quern

#endif  // QUERN_DATA_PREPARE_H_
