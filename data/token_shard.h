// Token shards: ids one after another as little-endian u16 or u32, nothing else: no header, no padding. What `quern
// tokenizer encode --output_file` writes, and what nanoGPT's train.bin is.
//
// A file is hostile until Open has checked it: that it is made of whole ids, and that every id lies in the vocabulary.
#ifndef QUERN_DATA_TOKEN_SHARD_H_
#define QUERN_DATA_TOKEN_SHARD_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"

namespace quern {

enum class IdWidth { kU16 = 2, kU32 = 4 };  // bytes

// The narrower one that holds ids below `vocab_size`.
IdWidth IdWidthFor(int64_t vocab_size);

// Ids in a mapped file: any number of them costs no memory.
class TokenShard {
 public:
  // InvalidArgument, naming the position, for an id that is not below `vocab_size`. Reads the whole file once.
  static absl::StatusOr<TokenShard> Open(const std::string& path, IdWidth width, int64_t vocab_size);

  int64_t tokens() const { return tokens_; }
  // Ids [begin, begin + out.size()); CHECKs that they are there.
  void Read(int64_t begin, std::span<int32_t> out) const;

 private:
  TokenShard(std::shared_ptr<const MappedFile> file, IdWidth width);

  std::shared_ptr<const MappedFile> file_;
  IdWidth width_;
  int64_t tokens_;
};

// Writes a shard in pieces; it is there whole or not at all.
class TokenShardWriter {
 public:
  static absl::StatusOr<TokenShardWriter> Create(const std::string& path, IdWidth width);

  // CHECKs that the ids fit the width.
  absl::Status Append(std::span<const int32_t> ids);
  absl::Status Commit() { return file_.Commit(); }
  int64_t tokens() const { return tokens_; }

 private:
  TokenShardWriter(AtomicFile file, IdWidth width) : file_(std::move(file)), width_(width) {}

  AtomicFile file_;
  IdWidth width_;
  int64_t tokens_ = 0;
  std::string bytes_;
};

}  // namespace quern

#endif  // QUERN_DATA_TOKEN_SHARD_H_
