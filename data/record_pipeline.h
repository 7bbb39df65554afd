// Raw records -> cleaned, digested records, in parallel, with the same result at any thread count.
#ifndef QUERN_DATA_RECORD_PIPELINE_H_
#define QUERN_DATA_RECORD_PIPELINE_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "data/clean.h"
#include "data/record_reader.h"
#include "data/split.h"

namespace quern {

struct PipelineOptions {
  RecordShape shape;
  CleanOptions clean;
  uint64_t seed = 0;
};

class RecordPipeline {
 public:
  RecordPipeline(PipelineOptions options, std::vector<std::string> files)
      : options_(options), files_(std::move(files)) {}

  // One entry per record of the block; `empty` where nothing but whitespace is left. Adds to `counts`.
  // InvalidArgument, naming file and line, for the first malformed JSON line.
  struct Indexed {
    RecordDigest digest;
    bool empty = false;
  };
  absl::Status Index(const RecordBlock& block, std::vector<Indexed>* indexed, CleanCounts* counts) const;

  // Calls `write(i, bytes)` for the records of the block with fates[i] of a split, in order, on this thread: the bytes
  // as they are to be written, without a line end.
  absl::Status Render(const RecordBlock& block, std::span<const RecordFate> fates,
                      const std::function<absl::Status(size_t i, std::string_view bytes)>& write) const;

 private:
  struct Cleaned;
  absl::Status Clean(const RecordBlock& block, size_t i, Cleaned* out, CleanCounts* counts) const;

  PipelineOptions options_;
  std::vector<std::string> files_;
};

}  // namespace quern

#endif  // QUERN_DATA_RECORD_PIPELINE_H_
