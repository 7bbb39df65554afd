#include "tensor/io/llama2c.h"

#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/foreign_file.h"
#include "base/little_endian.h"
#include "base/log.h"
#include "base/status_macros.h"

namespace quern {
namespace {

constexpr uint32_t kMagic = 0x616b3432;
constexpr int64_t kSizes = 7, kVersion0Begin = 4 * kSizes, kVersion1Begin = 256;
// Generous for any Llama, and small enough that no product of two overflows.
constexpr int64_t kLargest = int64_t{1} << 24;

absl::Status Damaged(const std::string& path, const std::string& why) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": as a checkpoint of llama2.c, ", why));
}

absl::Status CheckSizes(const std::string& path, const Llama2cHeader& h) {
  const std::pair<const char*, int64_t> sizes[] = {
      {"dim", h.dim},         {"hidden_dim", h.hidden_dim}, {"n_layers", h.n_layers},
      {"n_heads", h.n_heads}, {"n_kv_heads", h.n_kv_heads}, {"vocab_size", h.vocab_size},
      {"seq_len", h.seq_len}};
  for (const auto& size : sizes) {
    if (size.second >= 1 && size.second <= kLargest) continue;
    return Damaged(
        path, absl::StrCat("its ", size.first, " is ", size.second, ", not 1 to ", kLargest, "; is it such a file?"));
  }
  if (h.dim % h.n_heads != 0) {
    return Damaged(path, absl::StrCat("its n_heads (", h.n_heads, ") does not divide its dim (", h.dim, ")"));
  }
  if (h.n_heads % h.n_kv_heads != 0) {
    return Damaged(path,
                   absl::StrCat("its n_kv_heads (", h.n_kv_heads, ") does not divide its n_heads (", h.n_heads, ")"));
  }
  if (h.head_size() % 2 != 0) {
    return Damaged(path,
                   absl::StrCat("its heads are ", h.head_size(), " wide, which is odd: rotary positions turn pairs"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Llama2cFile> Llama2cFile::Open(const std::string& path) {
  Llama2cFile opened;
  ASSIGN_OR_RETURN(opened.file_, MappedFile::Open(path));
  RETURN_IF_ERROR(opened.ReadHeader());
  RETURN_IF_ERROR(opened.Place());
  const std::string_view bytes = opened.file_->bytes();
  opened.storage_ = Storage::Wrap(const_cast<char*>(bytes.data()), static_cast<int64_t>(bytes.size()), opened.file_,
                                  /*read_only=*/true);
  return opened;
}

absl::Status Llama2cFile::ReadHeader() {
  const std::string_view bytes = file_->bytes();
  const std::string& path = file_->path();
  if (const ForeignFile* foreign = FindForeignFile(bytes)) {
    return absl::InvalidArgumentError(absl::StrCat(path, " is ", std::string(foreign->name),
                                                   ", not a checkpoint of llama2.c. ", std::string(foreign->mend)));
  }
  if (bytes.size() < static_cast<size_t>(kVersion0Begin)) {
    return Damaged(path,
                   absl::StrCat("it is cut off: ", bytes.size(), " bytes, and the header takes ", kVersion0Begin));
  }
  const bool versioned = ReadLittleEndian<uint32_t>(bytes, 0) == kMagic;
  if (versioned) {
    header_.version = static_cast<int32_t>(ReadLittleEndian<uint32_t>(bytes, 4));
    if (header_.version != 1) {
      return Damaged(path, absl::StrCat("it has version ", header_.version,
                                        header_.version == 2 ? ", whose weights are quantised" : "",
                                        "; versions 0 and 1, with f32 weights, are read"));
    }
    if (bytes.size() < static_cast<size_t>(kVersion1Begin)) {
      return Damaged(path,
                     absl::StrCat("it is cut off: ", bytes.size(), " bytes, and the header takes ", kVersion1Begin));
    }
  }
  data_begin_ = versioned ? kVersion1Begin : kVersion0Begin;
  const size_t at = versioned ? 8 : 0;
  int64_t* const sizes[kSizes] = {&header_.dim,        &header_.hidden_dim, &header_.n_layers, &header_.n_heads,
                                  &header_.n_kv_heads, &header_.vocab_size, &header_.seq_len};
  for (size_t i = 0; i < kSizes; ++i) *sizes[i] = static_cast<int32_t>(ReadLittleEndian<uint32_t>(bytes, at + 4 * i));
  if (versioned) {
    header_.shared_classifier = bytes[at + 4 * kSizes] != 0;
  } else {
    header_.shared_classifier = header_.vocab_size > 0;
    header_.vocab_size = std::abs(header_.vocab_size);
  }
  return CheckSizes(path, header_);
}

absl::Status Llama2cFile::Place() {
  const Llama2cHeader& h = header_;
  const int64_t C = h.dim, K = h.n_kv_heads * h.head_size(), I = h.hidden_dim, L = h.n_layers, V = h.vocab_size;
  const Entry table = {"token_embedding_table", {V, C}}, attention_gain = {"rms_att_weight", {L, C}},
              mlp_gain = {"rms_ffn_weight", {L, C}}, final_gain = {"rms_final_weight", {C}};
  const std::vector<Entry> attention = {{"wq", {L, C, C}}, {"wk", {L, K, C}}, {"wv", {L, K, C}}, {"wo", {L, C, C}}};
  const std::vector<Entry> mlp = {{"w1", {L, I, C}}, {"w2", {L, C, I}}, {"w3", {L, I, C}}};
  const auto add = [this](const std::vector<Entry>& more) {
    entries_.insert(entries_.end(), more.begin(), more.end());
  };
  if (h.version == 0) {
    add({table, attention_gain});
    add(attention);
    add({mlp_gain});
    add(mlp);
    // Cosines and sines of the rotary positions, which run.c works out anew and so do we.
    add({final_gain,
         {"freq_cis_real", {h.seq_len, h.head_size() / 2}},
         {"freq_cis_imag", {h.seq_len, h.head_size() / 2}}});
  } else {
    add({attention_gain, mlp_gain, final_gain, table});
    add(attention);
    add(mlp);
  }
  if (!h.shared_classifier) add({{"wcls", {V, C}}});
  const int64_t size = static_cast<int64_t>(file_->bytes().size());
  int64_t end = data_begin_;
  for (Entry& entry : entries_) {
    entry.begin = end;
    int64_t bytes = SizeOf(DType::kF32);
    bool overflow = false;
    for (int axis = 0; axis < entry.shape.rank(); ++axis) {
      overflow |= __builtin_mul_overflow(bytes, entry.shape[axis], &bytes);
    }
    overflow |= __builtin_add_overflow(end, bytes, &end);
    if (!overflow && end <= size) continue;
    return Damaged(file_->path(), absl::StrCat("it is cut off: by its header, ", std::string(entry.name),
                                               " lies beyond its ", size, " bytes (dim ", C, ", hidden_dim ", I,
                                               ", n_layers ", L, ", vocab_size ", V, ", seq_len ", h.seq_len, ")"));
  }
  if (end == size) return absl::OkStatus();
  return Damaged(file_->path(), absl::StrCat("its last ", size - end, " of ", size, " bytes belong to no tensor"));
}

Tensor Llama2cFile::Get(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return Tensor::View(storage_, entry.begin, entry.shape, DType::kF32);
  }
  CHECK(false) << "Llama2cFile::Get: a tensor of the file; got \"" << name << "\"";
  return Tensor();
}

}  // namespace quern
