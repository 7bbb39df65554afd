#include "data/record_pipeline.h"

#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "base/utf8.h"
#include "data/json_line.h"

namespace quern {
namespace {

constexpr size_t kChunkBytes = size_t{64} << 10;

// ICU counts bytes in 31 bits. Cleaning makes a text at most 4.5 times as long: 3 bytes for an invalid one, and lower
// case takes 3 bytes for 2 (U+023A).
static_assert(RecordReader::kMaxRecordBytes <= INT32_MAX / 5);

// Runs of records that make a task each; cut by the data alone.
std::vector<std::pair<size_t, size_t>> Chunks(const RecordBlock& block) {
  std::vector<std::pair<size_t, size_t>> chunks;
  size_t begin = 0, bytes = 0;
  for (size_t i = 0; i < block.records.size(); ++i) {
    bytes += block.records[i].size() + 1;
    if (bytes < kChunkBytes && i + 1 < block.records.size()) continue;
    chunks.emplace_back(begin, i + 1);
    begin = i + 1;
    bytes = 0;
  }
  return chunks;
}

bool IsBlank(std::string_view text) { return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos; }

}  // namespace

// A record on its way; the buffers are reused from one to the next.
struct RecordPipeline::Cleaned {
  std::string text;      // what is compared
  std::string repaired;  // the JSON line, where it had to be repaired
  std::string_view line;
  JsonLine json;
  bool empty = false;
};

absl::Status RecordPipeline::Clean(const RecordBlock& block, size_t i, Cleaned* out, CleanCounts* counts) const {
  std::string_view raw = block.records[i];
  out->text.clear();
  if (options_.shape.format == TextFormat::kJsonl) {
    if (!raw.empty() && raw.back() == '\r') raw.remove_suffix(1);
    out->line = raw;
    out->empty = IsBlank(raw);
    if (out->empty) return absl::OkStatus();
    if (options_.clean.clean && ValidUtf8Prefix(raw) != raw.size()) {
      out->repaired.clear();
      counts->invalid_utf8 += RepairUtf8(raw, &out->repaired).replacements;
      out->line = out->repaired;
    }
    const std::string what =
        absl::StrCat(files_[block.file], " line ", block.first_index + static_cast<int64_t>(i) + 1);
    ASSIGN_OR_RETURN(out->json, ParseJsonLine(out->line, what));
    raw = out->json.text;
  }
  CleanText(raw, options_.clean, &out->text, counts);
  out->empty = options_.clean.clean ? out->text.empty() : IsBlank(out->text);
  return absl::OkStatus();
}

absl::Status RecordPipeline::Index(const RecordBlock& block, std::vector<Indexed>* indexed, CleanCounts* counts) const {
  const auto chunks = Chunks(block);
  std::vector<CleanCounts> chunk_counts(chunks.size());
  std::vector<absl::Status> statuses(chunks.size());
  indexed->assign(block.records.size(), {});
  ParallelFor(static_cast<int64_t>(chunks.size()), /*grain=*/1, [&](int64_t begin, int64_t end) {
    RecordHasher hasher(options_.seed);
    Cleaned record;
    for (size_t chunk = static_cast<size_t>(begin); chunk < static_cast<size_t>(end); ++chunk) {
      for (size_t i = chunks[chunk].first; i < chunks[chunk].second && statuses[chunk].ok(); ++i) {
        statuses[chunk] = Clean(block, i, &record, &chunk_counts[chunk]);
        (*indexed)[i] = {record.empty ? RecordDigest{} : hasher.Digest(record.text), record.empty};
      }
    }
  });
  for (const absl::Status& status : statuses) RETURN_IF_ERROR(status);
  for (const CleanCounts& more : chunk_counts) counts->Add(more);
  return absl::OkStatus();
}

absl::Status RecordPipeline::Render(const RecordBlock& block, std::span<const RecordFate> fates,
                                    const std::function<absl::Status(size_t i, std::string_view bytes)>& write) const {
  struct Rendered {
    std::string bytes;
    std::vector<std::pair<size_t, size_t>> ends;  // record, end of its bytes
    absl::Status status;
  };
  const auto chunks = Chunks(block);
  std::vector<Rendered> rendered(chunks.size());
  ParallelFor(static_cast<int64_t>(chunks.size()), /*grain=*/1, [&](int64_t begin, int64_t end) {
    Cleaned record;
    CleanCounts ignored;
    for (size_t chunk = static_cast<size_t>(begin); chunk < static_cast<size_t>(end); ++chunk) {
      Rendered& out = rendered[chunk];
      for (size_t i = chunks[chunk].first; i < chunks[chunk].second && out.status.ok(); ++i) {
        if (static_cast<int>(fates[i]) >= kSplits) continue;
        out.status = Clean(block, i, &record, &ignored);
        if (options_.shape.format != TextFormat::kJsonl) {
          out.bytes += record.text;
        } else if (record.text == record.json.text) {
          out.bytes += record.line;
        } else {
          AppendWithText(record.line, record.json, record.text, &out.bytes);
        }
        out.ends.emplace_back(i, out.bytes.size());
      }
    }
  });
  for (const Rendered& chunk : rendered) {
    RETURN_IF_ERROR(chunk.status);
    size_t begin = 0;
    for (const auto& [i, end] : chunk.ends) {
      RETURN_IF_ERROR(write(i, std::string_view(chunk.bytes).substr(begin, end - begin)));
      begin = end;
    }
  }
  return absl::OkStatus();
}

}  // namespace quern
