// BPE over bytes or characters: the ids of a text, exactly, in time that is near linear in its length whatever it
// holds.
//
// A text is cut into pieces by the split pattern; each piece is looked up in a cache of recent pieces and merged when
// it is not there: short pieces by scanning for the lowest rank, long ones with a heap, O(n log n).
#ifndef QUERN_DATA_TOKENIZER_BPE_H_
#define QUERN_DATA_TOKENIZER_BPE_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "data/tokenizer/pair_ranks.h"
#include "data/tokenizer/piece_cache.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {

class Bpe {
 public:
  // What one thread needs while it encodes; kept between calls.
  struct Scratch {
    PieceCache cache;
    std::vector<int32_t> ids, next, previous;
    std::vector<uint32_t> ranks;
    std::vector<uint64_t> heap;  // rank << 32 | position
  };
  static constexpr size_t kNoError = SIZE_MAX;

  // `parts` (kBpe) must outlive this.
  explicit Bpe(const TokenizerParts& parts);

  // Appends the ids of `text`, shorter than 2 GiB. Returns kNoError, or the offset of the first byte for which the
  // vocabulary has neither a token nor an unknown-token; `out` is then incomplete.
  size_t Encode(std::string_view text, Scratch& scratch, std::vector<int32_t>* out) const;

 private:
  struct Writer;

  template <SplitPattern kPattern>
  size_t EncodePieces(std::string_view text, Scratch& scratch, std::vector<int32_t>* out) const;
  // Ids of one piece into scratch.ids; their number, or 0 when a byte has no token (*bad is its offset).
  size_t Merge(std::string_view piece, Scratch& scratch, size_t* bad) const;
  bool Symbols(std::string_view piece, std::vector<int32_t>* ids, size_t* bad) const;
  void Characters(std::string_view piece, std::vector<int32_t>* ids) const;
  size_t MergeShort(Scratch& scratch) const;
  size_t MergeLong(Scratch& scratch) const;

  const TokenizerParts& parts_;
  PairRanks pairs_;
  std::array<int32_t, 256> byte_ids_;
  absl::flat_hash_map<std::string_view, int32_t> characters_;  // tokens of one character, where symbols are such
  absl::flat_hash_map<std::string_view, int32_t> pieces_;      // whole pieces, where merges are ignored for them
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_BPE_H_
