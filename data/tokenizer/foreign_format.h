// Tokenizer files of other kinds, recognised so that they can be refused by their names.
#ifndef QUERN_DATA_TOKENIZER_FOREIGN_FORMAT_H_
#define QUERN_DATA_TOKENIZER_FOREIGN_FORMAT_H_

#include <string_view>

namespace quern {

// What `bytes` look like: "a GGUF file" or "a SentencePiece model"; "" for anything else.
std::string_view ForeignFormat(std::string_view bytes);

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_FOREIGN_FORMAT_H_
