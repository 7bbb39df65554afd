// What a tokenizer file says, as plain data: between its readers and the engine, inside this package.
#ifndef QUERN_DATA_TOKENIZER_TOKENIZER_PARTS_H_
#define QUERN_DATA_TOKENIZER_TOKENIZER_PARTS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/tokenizer/split_pattern.h"
#include "data/tokenizer/token_table.h"
#include "data/tokenizer/tokenizer.h"

namespace quern {

// `left` `right` -> `merged`. Of the merges that apply to a piece the one with the lowest rank is done first, of equal
// ranks the leftmost.
struct BpeMerge {
  int32_t left = 0, right = 0, merged = 0;
  int32_t rank = 0;
};

struct TokenizerParts {
  TokenizerKind kind = TokenizerKind::kBpe;
  TokenTable tokens;  // the model's vocabulary and added_tokens: bytes (bpe, byte) or a code point (char)
  std::vector<BpeMerge> merges;
  std::vector<AddedToken> added_tokens;
  SplitPattern pattern = SplitPattern::kNone;
  bool add_prefix_space = false;  // a space goes before each part that does not begin with one
  bool nfc = false;               // text is normalised to NFC
  bool ignore_merges = false;     // a piece that is a token is that token, whatever the merges say
  bool fuse_unk = false;          // neighbouring unknown symbols are one
  std::optional<int32_t> unk_id;  // for bytes or symbols without a token
  // SentencePiece's way (sentencepiece_bpe.h): symbols are characters, and one without a token is the tokens of its
  // bytes, 256 ids; empty for byte-level BPE, whose symbols are bytes. With it go the next three.
  std::vector<int32_t> byte_ids;
  std::vector<int32_t> decode_only;             // tokens that no text is encoded to
  bool dummy_prefix = false;                    // a space goes before each part, and decoding takes it away again
  bool metaspace = false;                       // U+2581 in the text is a space, as in tokenizer.json
  std::vector<int32_t> prefix_ids, suffix_ids;  // what the post-processor puts around a text
  std::optional<int32_t> bos_id, eos_id;
  bool adds_bos = false;
  std::string json;  // the tokenizer.json
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_TOKENIZER_PARTS_H_
