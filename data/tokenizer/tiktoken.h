// tiktoken's files of ranks: a line for each token, its bytes in base64 and its rank, which is its id.
//
// Any two neighbours whose bytes together are a token may merge; the pair whose token has the lowest rank goes first,
// and a piece that is a token is not merged at all. A file names neither its split pattern nor its special tokens.
#ifndef QUERN_DATA_TOKENIZER_TIKTOKEN_H_
#define QUERN_DATA_TOKENIZER_TIKTOKEN_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {

// Whether the first line of `bytes` is base64, a space and a number.
bool LooksLikeTiktoken(std::string_view bytes);

// InvalidArgument names the line of what is malformed: bad base64, a rank that is taken or too large, a token twice.
absl::StatusOr<TokenizerParts> ReadTiktoken(std::string_view bytes, SplitPattern pattern, std::string_view what);

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_TIKTOKEN_H_
