#include "data/record_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/utf8.h"

namespace quern {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr uint64_t kSampleBytes = uint64_t{1} << 20;

// Appends up to `bytes` bytes of `file`; fewer only at its end.
absl::Status AppendFrom(FileReader& file, uint64_t bytes, std::string* out) {
  const size_t before = out->size();
  out->resize(before + bytes);
  ASSIGN_OR_RETURN(const size_t got, file.Read(out->data() + before, bytes));
  out->resize(before + got);
  return absl::OkStatus();
}

// Walks the lines of `text`. The next LF and CR are each looked up once, however the two are mixed.
class LineCutter {
 public:
  LineCutter(std::string_view text, bool universal, bool at_end) : text_(text), at_end_(at_end) {
    newline_ = text_.find('\n');
    cr_ = universal ? text_.find('\r') : std::string_view::npos;
  }

  // False at the end, and where the line's end is not there yet.
  bool Next(std::string_view* line) {
    if (at_ == text_.size()) return false;
    const size_t end = std::min({newline_, cr_, text_.size()});
    size_t next = std::min(end + 1, text_.size());
    if (!at_end_ && (end == text_.size() || (end == cr_ && next == text_.size())))
      return false;  // CR of a CR LF, maybe
    if (end == cr_ && next == newline_) ++next;
    *line = text_.substr(at_, end - at_);
    at_ = next;
    if (newline_ < at_) newline_ = text_.find('\n', at_);
    if (cr_ < at_) cr_ = text_.find('\r', at_);
    return true;
  }

  size_t at() const { return at_; }  // where the next line starts

 private:
  std::string_view text_;
  bool at_end_;
  size_t at_ = 0, newline_, cr_;
};

// Appends the whole records of `text` and returns how many bytes they take.
size_t CutLines(LineCutter lines, std::vector<std::string_view>* records) {
  for (std::string_view line; lines.Next(&line);) records->push_back(line);
  return lines.at();
}

size_t CutParagraphs(LineCutter lines, bool at_end, std::vector<std::string_view>* records) {
  size_t taken = 0;
  std::string_view paragraph;
  for (std::string_view line; lines.Next(&line);) {
    const bool blank = line.find_first_not_of(" \t\r\v\f") == std::string_view::npos;
    if (!blank) {
      if (paragraph.empty()) paragraph = line;
      paragraph = {paragraph.data(), static_cast<size_t>(line.data() + line.size() - paragraph.data())};
      continue;
    }
    if (!paragraph.empty()) records->push_back(paragraph);
    paragraph = {};
    taken = lines.at();
  }
  if (!at_end) return taken;
  if (!paragraph.empty()) records->push_back(paragraph);
  return lines.at();
}

size_t CutFile(std::string_view text, bool at_end, std::vector<std::string_view>* records) {
  if (!at_end || text.empty()) return 0;
  records->push_back(text);
  return text.size();
}

size_t Cut(std::string_view text, const RecordShape& shape, bool at_end, std::vector<std::string_view>* records) {
  const LineCutter lines(text, shape.universal_newlines, at_end);
  switch (shape.unit) {
    case RecordUnit::kParagraph:
      return CutParagraphs(lines, at_end, records);
    case RecordUnit::kFile:
      return CutFile(text, at_end, records);
    default:
      return CutLines(lines, records);
  }
}

}  // namespace

struct RecordReader::OpenFile {
  explicit OpenFile(FileReader opened) : file(std::move(opened)) {}
  FileReader file;
  std::string buffer;   // read, and not yet in a block
  uint64_t offset = 0;  // of the end of `buffer` within the file
  int64_t next_index = 0;
  bool at_end = false;
};

RecordReader::RecordReader(std::vector<std::string> files, RecordShape shape, uint64_t block_bytes,
                           uint64_t max_record_bytes)
    : files_(std::move(files)),
      shape_(shape),
      block_bytes_(std::max<uint64_t>(block_bytes, kByteOrderMark.size())),
      max_record_bytes_(max_record_bytes) {
  CHECK(shape.format != TextFormat::kAuto && shape.unit != RecordUnit::kAuto) << "RecordReader: decide the shape first";
}
RecordReader::~RecordReader() = default;

absl::Status RecordReader::CheckText(std::string_view bytes, uint64_t offset) const {
  const std::string& path = files_[file_];
  const size_t nul = bytes.find('\0');
  if (nul != std::string_view::npos) {
    const bool gzip = offset == 0 && bytes.substr(0, 2) == "\x1F\x8B";
    const bool utf16 = offset == 0 && (bytes.substr(0, 2) == "\xFF\xFE" || bytes.substr(0, 2) == "\xFE\xFF");
    return absl::InvalidArgumentError(absl::StrCat(path, ": not text: NUL byte at offset ", offset + nul, ". ",
                                                   gzip ? "It is compressed: gunzip it first."
                                                   : utf16
                                                       ? "It looks like UTF-16: convert it (iconv -f UTF-16 -t UTF-8)."
                                                       : "Name a text file; remove NUL bytes with tr -d '\\0'."));
  }
  if (offset > 0) return absl::OkStatus();
  // A sequence that the end of the sample cuts off does not count: at most three bytes of a megabyte.
  const std::string_view sample = bytes.substr(0, kSampleBytes);
  const Utf8Repair repair = RepairUtf8(sample, nullptr);
  if (10 * static_cast<uint64_t>(repair.invalid_bytes) <= sample.size() + 30) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, ": not UTF-8 text: ", repair.invalid_bytes, " of the first ", sample.size(),
                   " bytes belong to no character, the first at offset ", ValidUtf8Prefix(sample),
                   ". Name a text file, or convert it to UTF-8 (iconv -f ENCODING -t UTF-8)."));
}

absl::Status RecordReader::Fill(uint64_t bytes) {
  OpenFile& open = *open_;
  const size_t before = open.buffer.size();
  RETURN_IF_ERROR(AppendFrom(open.file, bytes, &open.buffer));
  std::string_view fresh = std::string_view(open.buffer).substr(before);
  RETURN_IF_ERROR(CheckText(fresh, open.offset));
  open.at_end = fresh.size() < bytes;
  const bool has_mark = open.offset == 0 && fresh.substr(0, kByteOrderMark.size()) == kByteOrderMark;
  open.offset += fresh.size();
  bytes_read_ += fresh.size();
  if (has_mark && (shape_.universal_newlines || shape_.format == TextFormat::kJsonl)) {
    open.buffer.erase(0, kByteOrderMark.size());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> RecordReader::Next(RecordBlock* block) {
  for (; file_ < files_.size(); ++file_, open_.reset()) {
    if (open_ == nullptr) {
      ASSIGN_OR_RETURN(FileReader file, FileReader::Open(files_[file_]));
      open_ = std::make_unique<OpenFile>(std::move(file));
    }
    OpenFile& open = *open_;
    // Doubling: the records of a block are cut again from its start when the first one turns out to be longer.
    // A record that is too long shows one byte after the longest.
    for (uint64_t want = block_bytes_; !open.at_end || !open.buffer.empty();
         want = std::min(2 * want, max_record_bytes_ + 1)) {
      if (!open.at_end && open.buffer.size() < want) RETURN_IF_ERROR(Fill(want - open.buffer.size()));
      block->bytes = std::move(open.buffer);
      block->records.clear();
      const size_t taken = Cut(block->bytes, shape_, open.at_end, &block->records);
      open.buffer.assign(block->bytes, taken, std::string::npos);
      if (!block->records.empty()) {
        block->file = file_;
        block->first_index = open.next_index;
        open.next_index += static_cast<int64_t>(block->records.size());
        return true;
      }
      if (open.at_end) break;  // nothing but blank lines was left
      if (open.buffer.size() > max_record_bytes_) {
        return absl::InvalidArgumentError(absl::StrCat(files_[file_], ": record ", open.next_index, " is longer than ",
                                                       max_record_bytes_, " bytes; choose a smaller --unit"));
      }
    }
  }
  return false;
}

absl::StatusOr<std::string> ReadBeginning(const std::string& path, uint64_t bytes) {
  ASSIGN_OR_RETURN(FileReader file, FileReader::Open(path));
  ASSIGN_OR_RETURN(uint64_t size, FileSize(path));
  std::string out;
  RETURN_IF_ERROR(AppendFrom(file, std::min(bytes, size), &out));
  return out;
}

}  // namespace quern
