// How text is cut into pieces before BPE: the known split patterns, as hand-written scanners.
//
// Each is the language of a regular expression that tokenizers carry (HF's `Split`, tiktoken's `pat_str`); the
// expressions stand in split_pattern.cc. There is no regex engine: a pattern that is not among them is refused by the
// reader, never approximated.
#ifndef QUERN_DATA_TOKENIZER_SPLIT_PATTERN_H_
#define QUERN_DATA_TOKENIZER_SPLIT_PATTERN_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/tokenizer/char_class.h"

namespace quern {

enum class SplitPattern {
  kNone,    // not cut: the whole text is one piece
  kWords,   // before each stretch of spaces: SentencePiece's, where no token reaches across (sentencepiece_bpe.h)
  kGpt2,    // GPT-2's: contractions, words, numbers and symbols, each with the space before it
  kCl100k,  // GPT-4's, as tiktoken has it: numbers of up to three digits, newlines, white space at the end in one piece
  kLlama3,  // the same as tokenizer.json files have it: white space at the end is cut after its last newline
  kQwen2,   // Llama 3's with single digits
  kO200k,   // GPT-4o's: words by upper and lower case, contractions belong to the word
};

// "gpt2", ...; "" for kNone and kWords, which no file names.
std::string_view Name(SplitPattern pattern);
// The pattern of that name; nothing for another.
std::optional<SplitPattern> SplitPatternByName(std::string_view name);
std::vector<std::string> SplitPatternNames();
// The pattern whose regular expression is exactly `regex`, in any of the spellings in use.
std::optional<SplitPattern> SplitPatternByRegex(std::string_view regex);
// The regular expression, as written into tokenizer.json. Not for kNone and kWords.
std::string_view SplitRegex(SplitPattern pattern);

// The end of the piece that starts at `p` < `end`. `end` is the end of the text (or of the part between two added
// tokens), which the patterns see. Pieces are never empty.
template <SplitPattern kPattern>
const char* PieceEnd(const CharClasses& classes, const char* p, const char* end);

// Cuts `text` into parts whose pieces, one part after another, are the pieces of `text`: for work in parallel. Parts
// are `target` bytes or a little more; they are longer where no safe place to cut is found.
std::vector<std::string_view> SafeParts(std::string_view text, SplitPattern pattern, size_t target);

// The pieces of `text`; for training and tests.
std::vector<std::string_view> SplitPieces(std::string_view text, SplitPattern pattern);

}  // namespace quern

#include "data/tokenizer/split_pattern_inl.h"

#endif  // QUERN_DATA_TOKENIZER_SPLIT_PATTERN_H_
