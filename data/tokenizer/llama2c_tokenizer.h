// llama2.c's tokenizer files (tokenizer.bin, tok512.bin): a SentencePiece vocabulary with its scores.
//
//   u32 greatest length of a token | for each token, to the end of the file: f32 score, u32 length, its bytes
//
// all little-endian. Ids 0, 1 and 2 are the unknown-token, BOS and EOS (written with line ends around them, for show),
// 3 to 258 the bytes <0x00> ... <0xFF>. Text is encoded as in sentencepiece_bpe.h, with spaces instead of U+2581.
// What is written out as tokenizer.json is what Hugging Face's converter makes of such a model; there, as its format
// has it, U+2581 in a text is a space too, and merges of equal scores are not equal.
#ifndef QUERN_DATA_TOKENIZER_LLAMA2C_TOKENIZER_H_
#define QUERN_DATA_TOKENIZER_LLAMA2C_TOKENIZER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {

// Whether `bytes` begin with a small length, which no text does.
bool LooksLikeLlama2cTokenizer(std::string_view bytes);

// InvalidArgument names token and offset of what is malformed: a length beyond the file or the greatest, a token twice,
// a score that is not finite, bytes that are not where they must be. `what` names the source.
absl::StatusOr<TokenizerParts> ReadLlama2cTokenizer(std::string_view bytes, std::string_view what);

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_LLAMA2C_TOKENIZER_H_
