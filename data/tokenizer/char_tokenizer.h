// The `char` tokenizer: a symbol per code point that the text uses, ids from 0 in code point order.
#ifndef QUERN_DATA_TOKENIZER_CHAR_TOKENIZER_H_
#define QUERN_DATA_TOKENIZER_CHAR_TOKENIZER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"

namespace quern {

// InvalidArgument for empty text and for invalid UTF-8 (its byte offset is named; such text suits `bpe` or `byte`).
// Encoding a symbol that `text` does not hold is an error later, not an unknown-token.
absl::StatusOr<Tokenizer> TrainChar(std::string_view text);

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_CHAR_TOKENIZER_H_
