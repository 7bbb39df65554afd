// What a tokenizer that was accepted must be able to do: encode any bytes, decode any of its ids.
#ifndef QUERN_TESTS_FUZZ_USE_TOKENIZER_H_
#define QUERN_TESTS_FUZZ_USE_TOKENIZER_H_

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "data/tokenizer/tokenizer.h"

namespace quern {

inline void EncodeAndDecode(const Tokenizer& tokenizer, std::string_view text) {
  for (const bool special : {false, true}) {
    auto ids = tokenizer.Encode(text, {.add_special = special, .parse_special = special});
    if (!ids.ok()) continue;  // a symbol that the vocabulary lacks
    for (const int32_t id : *ids) CHECK(tokenizer.HasToken(id)) << id;
    CHECK_OK(tokenizer.Decode(*ids).status());
  }
}

inline void UseTokenizer(const Tokenizer& tokenizer, std::string_view file) {
  EncodeAndDecode(tokenizer, "It's a  test: 12345 na\xC3\xAFve\t\n\n \xE4\xBD\xA0\xF0\x9F\x98\x80 \xFF\xC3<s>aab");
  // The file as text: tokens occur there.
  EncodeAndDecode(tokenizer, file.substr(0, 512));
  for (int64_t id = -1; id <= std::min<int64_t>(tokenizer.vocab_size(), 300); ++id) {
    const std::vector<int32_t> one = {static_cast<int32_t>(id)};
    CHECK_EQ(tokenizer.Decode(one).ok(), tokenizer.HasToken(one[0]));
    if (tokenizer.HasToken(one[0])) tokenizer.TokenId(tokenizer.TokenBytes(one[0]));
  }
}

}  // namespace quern

#endif  // QUERN_TESTS_FUZZ_USE_TOKENIZER_H_
