// BPE as SentencePiece does it, and Llama 1 and 2 with it: "byte_fallback" in a tokenizer.json, and llama2.c's
// tokenizer files.
//
// A space goes before the text. Symbols are characters; of all neighbours whose texts together are a token, those with
// the token of the best score become it, the leftmost first, until none are left. A character without a token becomes
// its bytes' tokens, which are written <0x00> ... <0xFF>. In a file a space within a token is written U+2581; here
// tokens hold the bytes that they stand for.
#ifndef QUERN_DATA_TOKENIZER_SENTENCEPIECE_BPE_H_
#define QUERN_DATA_TOKENIZER_SENTENCEPIECE_BPE_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {

inline constexpr std::string_view kMetaspace = "\xE2\x96\x81";  // U+2581

// Whether `bytes` are a SentencePiece model (a protocol buffer), so that it can be refused by its name.
bool LooksLikeSentencePieceModel(std::string_view bytes);

// "<0x0A>" is 10.
std::optional<uint8_t> ByteOfName(std::string_view token);
std::string NameOfByte(uint8_t byte);

// U+2581 as spaces, and back.
std::string MetaspaceToSpace(std::string_view text);
std::string SpaceToMetaspace(std::string_view text);

// All merges that `tokens` and their scores allow, but for ids that `skip` marks: every way to cut a token into two
// tokens. Better scores have lower ranks, equal scores equal ones. In the order in which Hugging Face's converter
// writes them: equal ranks by their lengths, the longer left half first.
std::vector<BpeMerge> MergesByScore(const TokenTable& tokens, std::span<const float> scores,
                                    const std::vector<bool>& skip);

// kWords where pieces can be cut before each stretch of spaces because no merge makes a token that has a space behind
// something else; else kNone.
SplitPattern WordPattern(const TokenizerParts& parts);

// The normalizer and decoder of a tokenizer.json that go with it, exactly as the `tokenizers` library writes them.
Json SentencePieceNormalizer();
Json SentencePieceDecoder();

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_SENTENCEPIECE_BPE_H_
