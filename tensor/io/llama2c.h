// Reading checkpoints of llama2.c (github.com/karpathy/llama2.c: run.c, export.py), all little-endian:
//
//   version 0   i32 dim, hidden_dim, n_layers, n_heads, n_kv_heads, vocab_size, seq_len | f32 tensors.
//               A negative vocab_size: the head does not share the embedding's table, and stands at the end.
//   version 1   u32 0x616b3432 ("ak42") | i32 1 | the seven i32 | u8 whether the head shares | zeros to byte 256 |
//               f32 tensors
//
// A file is hostile until Open has checked it: every size in range, the bytes that they add up to (checked arithmetic)
// exactly those of the file, heads that divide. Errors are InvalidArgument and say what was found; files of other
// formats are named (base/foreign_file.h), and so is version 2, whose weights are quantised. The data is not looked at.
#ifndef QUERN_TENSOR_IO_LLAMA2C_H_
#define QUERN_TENSOR_IO_LLAMA2C_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "base/file.h"
#include "tensor/tensor.h"

namespace quern {

struct Llama2cHeader {
  int version = 0;
  int64_t dim = 0, hidden_dim = 0, n_layers = 0, n_heads = 0, n_kv_heads = 0;
  int64_t vocab_size = 0;  // positive
  int64_t seq_len = 0;
  bool shared_classifier = false;

  int64_t head_size() const { return dim / n_heads; }
};

class Llama2cFile {
 public:
  static absl::StatusOr<Llama2cFile> Open(const std::string& path);

  const Llama2cHeader& header() const { return header_; }

  // A read-only view of the mapped file, which it keeps alive; names as in run.c, shapes with C = dim, K = n_kv_heads *
  // head_size, I = hidden_dim, L, V:
  //   token_embedding_table [V,C]; rms_att_weight, rms_ffn_weight [L,C]; wq, wo [L,C,C]; wk, wv [L,K,C];
  //   w1, w3 [L,I,C]; w2 [L,C,I]; rms_final_weight [C]; wcls [V,C] where the head does not share
  // Rotary pairs of wq and wk are rows (2i, 2i + 1) of a head. CHECKs the name.
  Tensor Get(std::string_view name) const;

 private:
  struct Entry {
    std::string_view name;
    Shape shape;
    int64_t begin = 0;  // bytes
  };

  absl::Status ReadHeader();
  absl::Status Place();

  std::shared_ptr<const MappedFile> file_;
  Storage storage_;  // the whole map
  Llama2cHeader header_;
  int64_t data_begin_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace quern

#endif  // QUERN_TENSOR_IO_LLAMA2C_H_
