// Unicode normalisation form C, by ICU.
#ifndef QUERN_DATA_TOKENIZER_NFC_H_
#define QUERN_DATA_TOKENIZER_NFC_H_

#include <optional>
#include <string>
#include <string_view>

namespace quern {

// `text` in NFC; nothing where it is in NFC already. Bytes that are not UTF-8 stay as they are, and what stands before
// and after them is normalised by itself.
std::optional<std::string> NormalizeNfc(std::string_view text);

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_NFC_H_
