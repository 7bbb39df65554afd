// The language of a text, as far as scripts and function words tell. For dataset cards: a guess that says how sure it
// is, and says nothing rather than something wrong.
#ifndef QUERN_DATA_LANGUAGE_H_
#define QUERN_DATA_LANGUAGE_H_

#include <string>
#include <string_view>

namespace quern {

struct LanguageGuess {
  std::string code = "und";  // ISO 639-1, or "und": undetermined
  // Why: "38 % of 812 words are among the commonest words of en", "97 % of letters are Hangul".
  std::string evidence;
};

// Scripts written by one language decide by themselves (Hangul, kana, Thai, Greek, Hebrew, Armenian, Georgian; Han
// without kana is taken for Chinese). Latin, Cyrillic and Arabic letters need function words: at least 50 words, of
// which one tenth are among the commonest of one language, half as many again as of the next.
LanguageGuess GuessLanguage(std::string_view text);

}  // namespace quern

#endif  // QUERN_DATA_LANGUAGE_H_
