// Cuts input files into raw records, a block at a time: what has been read can be cleaned in parallel while memory
// stays bounded.
#ifndef QUERN_DATA_RECORD_READER_H_
#define QUERN_DATA_RECORD_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/text_shape.h"

namespace quern {

struct RecordShape {
  TextFormat format = TextFormat::kText;  // not kAuto
  RecordUnit unit = RecordUnit::kLine;    // not kAuto
  // CR LF and CR end a line as LF does, and a byte order mark at the start of a file is skipped. Else only LF ends a
  // line, and what stands before it is the record, byte for byte.
  bool universal_newlines = true;
};

// Consecutive records of one file. Blocks depend on the bytes of the input alone, never on threads or timing.
struct RecordBlock {
  size_t file = 0;                        // index in the reader's files
  int64_t first_index = 0;                // of the first record within its file, from 0
  std::vector<std::string_view> records;  // without their last line end; into `bytes`
  std::string bytes;
};

// Records by unit:
//   kLine: a line, blank ones too; a last line without an end counts, nothing after the last line end does not.
//   kParagraph: a run of lines that are not blank (space, tab, VT, FF, CR); blank lines are no records.
//   kFile: a file, if it is not empty.
class RecordReader {
 public:
  RecordReader(std::vector<std::string> files, RecordShape shape, uint64_t block_bytes = kBlockBytes,
               uint64_t max_record_bytes = kMaxRecordBytes);
  ~RecordReader();

  // Fills `block`; false at the end of the last file. Errors: files (base/file.h); InvalidArgument for a NUL byte, for
  // a file of whose first megabyte more than a tenth is not UTF-8 (both with the offset), and for a record that
  // takes more than `max_record_bytes` + 1 with its line end.
  absl::StatusOr<bool> Next(RecordBlock* block);

  // Bytes read so far, over all files.
  uint64_t bytes_read() const { return bytes_read_; }

  static constexpr uint64_t kBlockBytes = uint64_t{8} << 20;
  static constexpr uint64_t kMaxRecordBytes = uint64_t{1} << 28;  // what cleaning can hold: record_pipeline.cc

 private:
  struct OpenFile;
  absl::Status Fill(uint64_t bytes);
  absl::Status CheckText(std::string_view bytes, uint64_t offset) const;

  std::vector<std::string> files_;
  RecordShape shape_;
  uint64_t block_bytes_, max_record_bytes_;
  size_t file_ = 0;
  std::unique_ptr<OpenFile> open_;  // files_[file_], if it is open
  uint64_t bytes_read_ = 0;
};

// The first `bytes` bytes of a file, or all of a shorter one.
absl::StatusOr<std::string> ReadBeginning(const std::string& path, uint64_t bytes);

}  // namespace quern

#endif  // QUERN_DATA_RECORD_READER_H_
