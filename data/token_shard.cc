#include "data/token_shard.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace quern {
namespace {

static_assert(std::endian::native == std::endian::little, "shards are read as they lie in memory");

template <typename Id>
void Widen(const char* bytes, std::span<int32_t> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    Id id;
    std::memcpy(&id, bytes + i * sizeof(Id), sizeof(Id));
    out[i] = static_cast<int32_t>(id);
  }
}

// The place of the first id that is not below `vocab_size`, or `count`.
template <typename Id>
int64_t FirstBeyond(const char* bytes, int64_t count, int64_t vocab_size) {
  for (int64_t i = 0; i < count; ++i) {
    Id id;
    std::memcpy(&id, bytes + i * static_cast<int64_t>(sizeof(Id)), sizeof(Id));
    if (int64_t{id} >= vocab_size) return i;
  }
  return count;
}

}  // namespace

IdWidth IdWidthFor(int64_t vocab_size) { return vocab_size <= 65536 ? IdWidth::kU16 : IdWidth::kU32; }

TokenShard::TokenShard(std::shared_ptr<const MappedFile> file, IdWidth width)
    : file_(std::move(file)),
      width_(width),
      tokens_(static_cast<int64_t>(file_->bytes().size()) / static_cast<int>(width)) {}

absl::StatusOr<TokenShard> TokenShard::Open(const std::string& path, IdWidth width, int64_t vocab_size) {
  CHECK_LE(vocab_size, int64_t{1} << 31) << "TokenShard: ids are i32 in memory.";
  ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  if (file->bytes().size() % static_cast<size_t>(width) != 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", file->bytes().size(), " bytes are no whole number of ",
                                                   8 * static_cast<int>(width), "-bit ids; encode the text again"));
  }
  TokenShard shard(std::move(file), width);
  const char* bytes = shard.file_->bytes().data();
  int64_t bad = width == IdWidth::kU16 ? FirstBeyond<uint16_t>(bytes, shard.tokens_, vocab_size)
                                       : FirstBeyond<uint32_t>(bytes, shard.tokens_, vocab_size);
  if (bad == shard.tokens_) return shard;
  return absl::InvalidArgumentError(absl::StrCat(path, ": the id at position ", bad, " is not below the vocabulary's ",
                                                 vocab_size, "; is it another tokenizer's?"));
}

void TokenShard::Read(int64_t begin, std::span<int32_t> out) const {
  CHECK(begin >= 0 && begin + static_cast<int64_t>(out.size()) <= tokens_)
      << "TokenShard::Read: ids [" << begin << ", " << begin + static_cast<int64_t>(out.size()) << ") of " << tokens_;
  const char* bytes = file_->bytes().data() + begin * static_cast<int>(width_);
  width_ == IdWidth::kU16 ? Widen<uint16_t>(bytes, out) : Widen<uint32_t>(bytes, out);
}

absl::StatusOr<TokenShardWriter> TokenShardWriter::Create(const std::string& path, IdWidth width) {
  ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(path));
  return TokenShardWriter(std::move(file), width);
}

absl::Status TokenShardWriter::Append(std::span<const int32_t> ids) {
  const size_t width = static_cast<size_t>(width_);
  bytes_.resize(ids.size() * width);
  for (size_t i = 0; i < ids.size(); ++i) {
    CHECK(ids[i] >= 0 && (width == 4 || ids[i] < 65536)) << "TokenShardWriter: id " << ids[i] << " in u16.";
    std::memcpy(bytes_.data() + i * width, &ids[i], width);
  }
  tokens_ += static_cast<int64_t>(ids.size());
  return file_.Append(bytes_);
}

}  // namespace quern
