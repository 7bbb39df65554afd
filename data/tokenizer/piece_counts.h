// The distinct pieces of a text and how often each occurs: what BPE is trained on.
#ifndef QUERN_DATA_TOKENIZER_PIECE_COUNTS_H_
#define QUERN_DATA_TOKENIZER_PIECE_COUNTS_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "data/tokenizer/added_token_matcher.h"
#include "data/tokenizer/split_pattern.h"

namespace quern {

struct PieceCount {
  std::string_view piece;  // points into the text
  int64_t count = 0;
};

// Sorted by the bytes of the piece. `special` is left out of the text before it is cut. Counted in parallel; the result
// does not depend on the number of threads. Stops early when interrupted.
std::vector<PieceCount> CountPieces(std::string_view text, SplitPattern pattern, const AddedTokenMatcher& special);

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_PIECE_COUNTS_H_
