// GPT-2's alphabet: how files write arbitrary bytes as printable text. The printable bytes of Latin-1 stand for
// themselves; the other 68 are U+0100 and up, in order ("Ġ" is the space).
#ifndef QUERN_DATA_TOKENIZER_BYTE_ALPHABET_H_
#define QUERN_DATA_TOKENIZER_BYTE_ALPHABET_H_

#include <optional>
#include <string>
#include <string_view>

namespace quern {

// One character of the alphabet for each byte.
std::string BytesToAlphabet(std::string_view bytes);
// The reverse; nothing where `text` holds a character outside the alphabet.
std::optional<std::string> AlphabetToBytes(std::string_view text);

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_BYTE_ALPHABET_H_
