#include "data/prepare.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/lineage.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "data/dataset_card.h"
#include "data/input_files.h"
#include "data/language.h"
#include "data/prepare_output.h"
#include "data/record_pipeline.h"
#include "data/record_reader.h"
#include "data/smoke.h"
#include "data/split.h"

namespace quern {
namespace {

constexpr uint64_t kSampleBytes = uint64_t{4} << 20;

// One file that records are written to.
class SplitWriter {
 public:
  static absl::StatusOr<SplitWriter> Create(const std::string& path, RecordUnit unit) {
    ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
    return SplitWriter(std::move(file), unit == RecordUnit::kLine ? "" : "\n");
  }
  absl::Status Append(std::string_view record) {
    if (records_++ > 0) RETURN_IF_ERROR(file_.Append(separator_));
    RETURN_IF_ERROR(file_.Append(record));
    return file_.Append("\n");
  }
  absl::Status Commit() { return file_.Commit(); }
  int64_t records() const { return records_; }

 private:
  SplitWriter(AtomicFile file, const char* separator) : file_(std::move(file)), separator_(separator) {}
  AtomicFile file_;
  const char* separator_;
  int64_t records_ = 0;
};

class Preparation {
 public:
  explicit Preparation(const PrepareOptions& options) : options_(options) {}

  absl::StatusOr<PrepareResult> Run() {
    RETURN_IF_ERROR(FindInputs());
    RETURN_IF_ERROR(DecideShape());
    for (const char* name : kSplitNames) names_.push_back(absl::StrCat(name, Suffix()));
    names_.push_back(absl::StrCat("smoke", Suffix()));
    names_.push_back(kCardFile);
    ASSIGN_OR_RETURN(PrepareOutput output,
                     PrepareOutput::Create(options_.output_dir, names_, options_.input_file, files_));
    Progress progress("prepare", static_cast<int64_t>(2 * total_bytes_), "bytes");
    RETURN_IF_ERROR(IndexRecords(&progress));
    RETURN_IF_ERROR(AssignSplits({options_.train_ratio, options_.val_ratio, options_.test_ratio}, options_.dedupe,
                                 &records_, &fates_));
    RETURN_IF_ERROR(WriteRecords(output, &progress));
    progress.Finish();
    RETURN_IF_ERROR(Describe(output));
    RETURN_IF_ERROR(WriteFileAtomic(output.PathOf(kCardFile), WriteDatasetCard(result_.metadata)));
    RETURN_IF_ERROR(CheckUnchanged());
    RETURN_IF_ERROR(CheckInterrupt());
    RETURN_IF_ERROR(output.Publish(result_.metadata));
    result_.metadata_path = JoinPath(options_.output_dir, kMetadataFile);
    return std::move(result_);
  }

 private:
  const char* Suffix() const { return result_.format == TextFormat::kJsonl ? ".jsonl" : ".txt"; }

  absl::Status FindInputs() {
    ASSIGN_OR_RETURN(files_, FindInputFiles(options_.input_file));
    for (const std::string& file : files_) {
      ASSIGN_OR_RETURN(FileStamp stamp, StampFile(file));
      stamps_.push_back(stamp);
      total_bytes_ += stamp.bytes;
    }
    if (total_bytes_ > 0) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(options_.input_file, ": empty; give text to prepare"));
  }

  absl::Status DecideShape() {
    result_.format = options_.format;
    std::string beginnings;
    const uint64_t share = std::max<uint64_t>(kSampleBytes / files_.size(), 4096);
    for (size_t i = 0; i < files_.size() && beginnings.size() < kSampleBytes; ++i) {
      ASSIGN_OR_RETURN(std::string beginning, ReadBeginning(files_[i], share));
      if (options_.format == TextFormat::kAuto && !beginning.empty()) {
        const TextFormat format = DetectFormat(files_[i], beginning);
        if (result_.format != TextFormat::kAuto && format != result_.format) {
          return absl::InvalidArgumentError(absl::StrCat(
              files_[i], " is ", std::string(TextFormatName(format)), ", but the files before it are ",
              std::string(TextFormatName(result_.format)), "; name one kind with a glob, or say --format"));
        }
        result_.format = format;
      }
      // A last line that the end of the sample cuts off must not look like a short one.
      if (beginning.size() == stamps_[i].bytes) beginning += "\n\n";
      beginnings += beginning;
    }
    return DecideUnit(beginnings);
  }

  absl::Status DecideUnit(const std::string& beginnings) {
    result_.unit = options_.unit;
    if (result_.format == TextFormat::kJsonl) {
      if (options_.unit == RecordUnit::kParagraph || options_.unit == RecordUnit::kFile) {
        return absl::InvalidArgumentError(absl::StrCat("--unit ", std::string(RecordUnitName(options_.unit)),
                                                       ": in JSON lines a record is a line; leave it out, or say "
                                                       "--format text"));
      }
      result_.unit = RecordUnit::kLine;
    }
    if (result_.unit == RecordUnit::kAuto) result_.unit = DetectUnit(beginnings);
    shape_ = {result_.format, result_.unit, options_.clean && result_.format == TextFormat::kText};
    using Layout = CleanOptions::Layout;
    const bool free_text = result_.format == TextFormat::kJsonl || result_.unit == RecordUnit::kFile;
    const Layout layout = free_text                                ? Layout::kText
                          : result_.unit == RecordUnit::kParagraph ? Layout::kParagraph
                                                                   : Layout::kLine;
    clean_ = {options_.clean, options_.lower, layout};
    return absl::OkStatus();
  }

  absl::Status CheckInterrupt() const {
    return Interrupted() ? absl::CancelledError("prepare: interrupted; nothing was written") : absl::OkStatus();
  }

  RecordPipeline Pipeline() const { return RecordPipeline({shape_, clean_, options_.seed}, files_); }

  // The first pass: fills records_, fates_ (kEmpty or to be decided) and the counts of what was read.
  absl::Status IndexRecords(Progress* progress) {
    const RecordPipeline pipeline = Pipeline();
    RecordReader reader(files_, shape_);
    RecordBlock block;
    std::vector<RecordPipeline::Indexed> indexed;
    while (true) {
      RETURN_IF_ERROR(CheckInterrupt());
      ASSIGN_OR_RETURN(const bool more, reader.Next(&block));
      if (!more) break;
      RETURN_IF_ERROR(pipeline.Index(block, &indexed, &result_.cleaning));
      for (const RecordPipeline::Indexed& record : indexed) {
        if (!record.empty) records_.push_back({record.digest, result_.read});
        result_.empty += record.empty;
        ++result_.read;
      }
      progress->Update(static_cast<int64_t>(reader.bytes_read()));
    }
    fates_.assign(static_cast<size_t>(result_.read), RecordFate::kEmpty);
    if (!records_.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(options_.input_file, ": no text: ", result_.read, " records, all empty after cleaning"));
  }

  // The second pass.
  absl::Status WriteRecords(const PrepareOutput& output, Progress* progress) {
    SmokeSampler smoke(records_, fates_);
    std::vector<IndexedRecord>().swap(records_);
    std::vector<SplitWriter> writers;
    for (int k = 0; k < kSplits; ++k) {
      ASSIGN_OR_RETURN(SplitWriter writer, SplitWriter::Create(output.PathOf(names_[k]), result_.unit));
      writers.push_back(std::move(writer));
    }
    const RecordPipeline pipeline = Pipeline();
    RecordReader reader(files_, shape_);
    RecordBlock block;
    for (size_t base = 0;; base += block.records.size()) {
      RETURN_IF_ERROR(CheckInterrupt());
      ASSIGN_OR_RETURN(const bool more, reader.Next(&block));
      if (!more) break;
      if (base + block.records.size() > fates_.size()) return Changed();
      const auto fates = std::span<const RecordFate>(fates_).subspan(base, block.records.size());
      RETURN_IF_ERROR(pipeline.Render(block, fates, [&](size_t i, std::string_view bytes) {
        smoke.Offer(static_cast<int64_t>(base + i), bytes);
        return writers[static_cast<size_t>(fates[i])].Append(bytes);
      }));
      progress->Update(static_cast<int64_t>(total_bytes_ + reader.bytes_read()));
    }
    PreparedSplit* const splits[kSplits] = {&result_.train, &result_.validation, &result_.test};
    for (size_t k = 0; k < kSplits; ++k) {
      RETURN_IF_ERROR(writers[k].Commit());
      splits[k]->records = writers[k].records();
      result_.kept += writers[k].records();
    }
    result_.duplicates = result_.read - result_.empty - result_.kept;
    return WriteSmoke(output, smoke);
  }

  absl::Status WriteSmoke(const PrepareOutput& output, const SmokeSampler& smoke) {
    ASSIGN_OR_RETURN(SplitWriter writer, SplitWriter::Create(output.PathOf(names_[kSplits]), result_.unit));
    for (const SmokeSampler::Record& record : smoke.Choose(result_.unit != RecordUnit::kLine)) {
      const bool cut_json = record.cut && result_.format == TextFormat::kJsonl;
      RETURN_IF_ERROR(writer.Append(cut_json ? WriteJsonLine(Json{{"text", record.text}}) : record.text));
    }
    result_.smoke.records = writer.records();
    language_ = GuessLanguage(smoke.Sample());
    return writer.Commit();
  }

  // Fills the splits' digests and the metadata.
  absl::Status Describe(const PrepareOutput& output) {
    Json& metadata = result_.metadata = NewArtefact("data");
    ASSIGN_OR_RETURN(metadata["source"], DescribeSource(options_.input_file, files_, output.folder()));
    PreparedSplit* const splits[] = {&result_.train, &result_.validation, &result_.test, &result_.smoke};
    for (size_t k = 0; k <= kSplits; ++k) {
      ASSIGN_OR_RETURN(Json entry, DescribeFile(output.PathOf(names_[k]), output.PathOf("")));
      splits[k]->file = names_[k];
      splits[k]->sha256 = entry["sha256"].get<std::string>();
      splits[k]->bytes = entry["bytes"].get<uint64_t>();
      entry["path"] = names_[k];
      entry["records"] = splits[k]->records;
      if (k == kSplits) {
        metadata["outputs"]["smoke"] = entry;
        break;
      }
      entry["file"] = names_[k];
      entry.erase("path");
      metadata["splits"][kSplitNames[k]] = entry;
    }
    const CleanCounts& c = result_.cleaning;
    metadata["timestamp"] = UtcTimestamp();
    metadata["counts"] = {
        {"read", result_.read}, {"empty", result_.empty}, {"duplicates", result_.duplicates}, {"kept", result_.kept}};
    metadata["cleaning"] = {{"invalid_utf8", c.invalid_utf8}, {"control_characters", c.control_characters},
                            {"normalized", c.normalized},     {"whitespace", c.whitespace},
                            {"lowered", c.lowered},           {"changed", c.changed}};
    metadata["language"] = {{"code", language_.code}, {"evidence", language_.evidence}};
    metadata["settings"] = {{"train_ratio", options_.train_ratio},
                            {"val_ratio", options_.val_ratio},
                            {"test_ratio", options_.test_ratio},
                            {"lower", options_.lower},
                            {"dedupe", options_.dedupe},
                            {"clean", options_.clean},
                            {"seed", options_.seed},
                            {"format", std::string(TextFormatName(result_.format))},
                            {"unit", std::string(RecordUnitName(result_.unit))}};
    return absl::OkStatus();
  }

  absl::Status Changed() const {
    return absl::UnavailableError(
        absl::StrCat(options_.input_file, ": it changed while it was read; nothing was written. Run prepare again"));
  }

  absl::Status CheckUnchanged() const {
    for (size_t i = 0; i < files_.size(); ++i) {
      ASSIGN_OR_RETURN(FileStamp stamp, StampFile(files_[i]));
      if (!(stamp == stamps_[i])) return Changed();
    }
    return absl::OkStatus();
  }

  const PrepareOptions& options_;
  std::vector<std::string> files_, names_;
  std::vector<FileStamp> stamps_;
  uint64_t total_bytes_ = 0;
  RecordShape shape_;
  CleanOptions clean_;
  std::vector<IndexedRecord> records_;  // those that are not empty
  std::vector<RecordFate> fates_;       // of every record
  LanguageGuess language_;
  PrepareResult result_;
};

}  // namespace

absl::Status CheckPrepareOptions(const PrepareOptions& options) {
  if (options.input_file.empty()) return absl::InvalidArgumentError("--input_file is missing");
  if (options.output_dir.empty()) return absl::InvalidArgumentError("--output_dir is missing");
  const std::pair<const char*, double> ratios[] = {
      {"--train_ratio", options.train_ratio}, {"--val_ratio", options.val_ratio}, {"--test_ratio", options.test_ratio}};
  double sum = 0;
  for (const auto& [flag, ratio] : ratios) {
    if (!(ratio >= 0 && ratio <= 1)) {
      return absl::InvalidArgumentError(absl::StrCat(flag, " is a number from 0 to 1; got ", ratio));
    }
    sum += ratio;
  }
  if (std::abs(sum - 1) <= 1e-6) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--train_ratio, --val_ratio and --test_ratio add up to 1; got ",
                                                 options.train_ratio, " + ", options.val_ratio, " + ",
                                                 options.test_ratio, " = ", sum));
}

absl::StatusOr<PrepareResult> Prepare(const PrepareOptions& options) {
  RETURN_IF_ERROR(CheckPrepareOptions(options));
  ASSIGN_OR_RETURN(PrepareResult result, Preparation(options).Run());
  if (result.cleaning.invalid_utf8 > 0) {
    LOG(WARNING) << "prepare: " << result.cleaning.invalid_utf8 << " ill-formed UTF-8 sequences became U+FFFD; "
                 << "if the text is in another encoding, convert it first (iconv -f ENCODING -t UTF-8)";
  }
  return result;
}

}  // namespace quern
