// The scanners. Each follows its regular expression alternative by alternative.
#ifndef QUERN_DATA_TOKENIZER_SPLIT_PATTERN_INL_H_
#define QUERN_DATA_TOKENIZER_SPLIT_PATTERN_INL_H_

#include "data/tokenizer/split_pattern.h"

namespace quern {
namespace split_internal {

// Past the characters of any of `wanted` classes.
inline const char* SkipAny(const CharClasses& classes, const char* p, const char* end, uint32_t wanted) {
  while (p < end) {
    const CharClasses::Char c = classes.Read(p, end);
    if ((c.classes & wanted) == 0) break;
    p += c.size;
  }
  return p;
}

// Past the characters of none of `unwanted` classes.
inline const char* SkipNone(const CharClasses& classes, const char* p, const char* end, uint32_t unwanted) {
  while (p < end) {
    const CharClasses::Char c = classes.Read(p, end);
    if ((c.classes & unwanted) != 0) break;
    p += c.size;
  }
  return p;
}

// Bytes of 's 't 're 've 'm 'll 'd at `p` ('), or 0.
inline size_t Contraction(const char* p, const char* end) {
  if (end - p < 2 || p[0] != '\'') return 0;
  switch (p[1]) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return 2;
    case 'r':
    case 'v':
      return end - p >= 3 && p[2] == 'e' ? 3 : 0;
    case 'l':
      return end - p >= 3 && p[2] == 'l' ? 3 : 0;
    default:
      return 0;
  }
}

// The same without regard to case; U+017F (long s) folds to s.
inline size_t ContractionAnyCase(const char* p, const char* end) {
  if (end - p < 2 || p[0] != '\'') return 0;
  if (end - p >= 3 && p[1] == '\xC5' && p[2] == '\xBF') return 3;
  const auto lower = [p](int i) { return p[i] >= 'A' && p[i] <= 'Z' ? static_cast<char>(p[i] + 32) : p[i]; };
  const char folded[3] = {'\'', lower(1), end - p >= 3 ? lower(2) : '\0'};
  return Contraction(folded, folded + 3);
}

// \s+(?!\S)|\s+ on a run that starts at `p`: the run, less its last character where something follows.
inline const char* SpaceRun(const CharClasses& classes, const char* p, const char* end) {
  const char* last = p;
  while (p < end) {
    const CharClasses::Char c = classes.Read(p, end);
    if ((c.classes & kSpace) == 0) break;
    last = p;
    p += c.size;
  }
  return last;
}

inline const char* Gpt2End(const CharClasses& classes, const char* p, const char* end) {
  const char* q = p;
  if (*p == ' ' && p + 1 < end) {
    ++q;
  } else if (size_t size = Contraction(p, end); size > 0) {
    return p + size;
  }
  const CharClasses::Char c = classes.Read(q, end);
  if (c.classes & kLetter) return SkipAny(classes, q + c.size, end, kLetter);
  if (c.classes & kNumber) return SkipAny(classes, q + c.size, end, kNumber);
  if ((c.classes & kSpace) == 0) return SkipNone(classes, q + c.size, end, kSpace | kLetter | kNumber);
  const char* stop = SkipAny(classes, p, end, kSpace);
  if (stop == end) return end;
  const char* last = SpaceRun(classes, p, end);
  return last > p ? last : stop;
}

// \s*[\r\n]+|\s+(?!\S)|\s+ at a white-space character.
inline const char* SpacesAndNewlines(const CharClasses& classes, const char* p, const char* end, bool whole_at_end) {
  const char* last = p;           // the last character
  const char* newline = nullptr;  // past the last newline
  const char* q = p;
  while (q < end) {
    const CharClasses::Char c = classes.Read(q, end);
    if ((c.classes & kSpace) == 0) break;
    last = q;
    q += c.size;
    if (c.classes & kNewline) newline = q;
  }
  if (q == end && whole_at_end) return end;
  if (newline != nullptr) return newline;
  if (q == end) return end;
  return last > p ? last : q;
}

// \p{N}{1,kDigits}, the first of which is `first` bytes long.
template <int kDigits>
const char* DigitsEnd(const CharClasses& classes, const char* p, const char* end, uint32_t first) {
  p += first;
  for (int n = 1; n < kDigits && p < end; ++n) {
    const CharClasses::Char c = classes.Read(p, end);
    if ((c.classes & kNumber) == 0) break;
    p += c.size;
  }
  return p;
}

// cl100k, llama3, qwen2.
template <int kDigits, bool kWholeAtEnd>
const char* Gpt4End(const CharClasses& classes, const char* p, const char* end) {
  if (*p == '\'') {
    if (size_t size = ContractionAnyCase(p, end); size > 0) return p + size;
  }
  const CharClasses::Char c = classes.Read(p, end);
  const char* q = p + c.size;
  if (c.classes & kLetter) return SkipAny(classes, q, end, kLetter);
  if (c.classes & kNumber) return DigitsEnd<kDigits>(classes, p, end, c.size);
  if (q < end && (c.classes & kNewline) == 0) {
    const CharClasses::Char next = classes.Read(q, end);
    if (next.classes & kLetter) return SkipAny(classes, q + next.size, end, kLetter);
    if (*p == ' ' && (next.classes & (kSpace | kNumber)) == 0) {
      return SkipAny(classes, SkipNone(classes, q + next.size, end, kSpace | kLetter | kNumber), end, kNewline);
    }
  }
  if ((c.classes & kSpace) == 0) {
    return SkipAny(classes, SkipNone(classes, q, end, kSpace | kLetter | kNumber), end, kNewline);
  }
  return SpacesAndNewlines(classes, p, end, kWholeAtEnd);
}

// [upperish]*[lowerish]+ at `p`, or null.
inline const char* MixedWord(const CharClasses& classes, const char* p, const char* end) {
  const char* both_end = nullptr;  // past the last character of the run that is lowerish too: where giving back stops
  while (p < end) {
    const CharClasses::Char c = classes.Read(p, end);
    if ((c.classes & kUpperish) == 0) {
      if (c.classes & kLowerish) return SkipAny(classes, p + c.size, end, kLowerish);
      break;
    }
    p += c.size;
    if (c.classes & kLowerish) both_end = p;
  }
  return both_end;
}

// [upperish]+[lowerish]* at `p`, or null.
inline const char* UpperWord(const CharClasses& classes, const char* p, const char* end) {
  const char* q = SkipAny(classes, p, end, kUpperish);
  return q == p ? nullptr : SkipAny(classes, q, end, kLowerish);
}

// Spaces and what follows them, up to the next space.
inline const char* WordEnd(const char* p, const char* end) {
  while (p < end && *p == ' ') ++p;
  while (p < end && *p != ' ') ++p;
  return p;
}

inline const char* O200kEnd(const CharClasses& classes, const char* p, const char* end) {
  const CharClasses::Char c = classes.Read(p, end);
  const char* q = p + c.size;
  const bool prefix = (c.classes & (kNewline | kLetter | kNumber)) == 0;
  const char* word = nullptr;
  if (prefix) word = MixedWord(classes, q, end);
  if (word == nullptr) word = MixedWord(classes, p, end);
  if (word == nullptr && prefix) word = UpperWord(classes, q, end);
  if (word == nullptr) word = UpperWord(classes, p, end);
  if (word != nullptr) return word + ContractionAnyCase(word, end);
  if (c.classes & kNumber) return DigitsEnd<3>(classes, p, end, c.size);
  bool symbols = (c.classes & kSpace) == 0;
  if (*p == ' ' && q < end) {
    const CharClasses::Char next = classes.Read(q, end);
    symbols = (next.classes & (kSpace | kLetter | kNumber)) == 0;
  }
  if (!symbols) return SpacesAndNewlines(classes, p, end, /*whole_at_end=*/false);
  q = SkipNone(classes, q, end, kSpace | kLetter | kNumber);
  while (q < end && (*q == '\r' || *q == '\n' || *q == '/')) ++q;
  return q;
}

}  // namespace split_internal

template <SplitPattern kPattern>
const char* PieceEnd(const CharClasses& classes, const char* p, const char* end) {
  using namespace split_internal;
  if constexpr (kPattern == SplitPattern::kGpt2) return Gpt2End(classes, p, end);
  if constexpr (kPattern == SplitPattern::kCl100k) return Gpt4End<3, true>(classes, p, end);
  if constexpr (kPattern == SplitPattern::kLlama3) return Gpt4End<3, false>(classes, p, end);
  if constexpr (kPattern == SplitPattern::kQwen2) return Gpt4End<1, false>(classes, p, end);
  if constexpr (kPattern == SplitPattern::kWords) return WordEnd(p, end);
  if constexpr (kPattern == SplitPattern::kO200k) return O200kEnd(classes, p, end);
  return end;
}

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_SPLIT_PATTERN_INL_H_
