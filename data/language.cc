#include "data/language.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "base/utf8.h"
#include "unicode/uchar.h"
#include "unicode/uscript.h"

namespace quern {
namespace {

struct FunctionWords {
  const char* code;
  const char* words;  // lower case, separated by spaces
};

constexpr FunctionWords kLanguages[] = {
    {"ar", "في من على إلى أن هذا هذه التي الذي عن مع كان ما لا"},
    {"de", "der die das und ist nicht ein eine den von zu mit dem sich auf im als auch des es"},
    {"en", "the of and to in is that it was for with his he as be you not on i a but her she they"},
    {"es", "el la los las de que y en un una por con para del se su al lo no es"},
    {"fr", "le la les de des du et est une un que dans pour qui par sur au il ne pas en"},
    {"it", "il la di che e un una per non del della sono con le i da in si nel gli"},
    {"nl", "de het een en van is dat niet op te zijn voor met aan in ik er ook"},
    {"pl", "i w na z do nie się że jest to o jak po co ale od przez za"},
    {"pt", "o a os as de que e do da em um uma para não com no na por se mais"},
    {"ru", "и в не на что с он как по это из к а но его я у за от о"},
    {"sv", "och att det i en som är på av för den till inte med ett om han jag"},
    {"tr", "ve bir bu da de için ile olarak ne o gibi daha çok ama"},
    {"uk", "і в не на що з до та як це у за від він його але про"},
};

struct ScriptLanguage {
  UScriptCode script;
  const char* code;
  const char* name;
};

constexpr ScriptLanguage kScripts[] = {
    {USCRIPT_HANGUL, "ko", "Hangul"}, {USCRIPT_THAI, "th", "Thai"},         {USCRIPT_GREEK, "el", "Greek"},
    {USCRIPT_HEBREW, "he", "Hebrew"}, {USCRIPT_ARMENIAN, "hy", "Armenian"}, {USCRIPT_GEORGIAN, "ka", "Georgian"},
    {USCRIPT_HAN, "zh", "Han"},
};

constexpr size_t kLanguageCount = sizeof(kLanguages) / sizeof(*kLanguages);

// Word -> bit set of languages.
const std::unordered_map<std::string, uint32_t>& WordTable() {
  static const auto* const table = [] {
    auto* words = new std::unordered_map<std::string, uint32_t>;
    for (size_t i = 0; i < kLanguageCount; ++i) {
      std::string_view list = kLanguages[i].words;
      while (!list.empty()) {
        const std::string_view word = list.substr(0, list.find(' '));
        (*words)[std::string(word)] |= 1u << i;
        list.remove_prefix(std::min(word.size() + 1, list.size()));
      }
    }
    return words;
  }();
  return *table;
}

struct Tally {
  int64_t letters = 0, words = 0;
  std::map<int, int64_t> scripts;
  std::array<int64_t, kLanguageCount> hits{};
};

Tally Count(std::string_view text) {
  Tally tally;
  std::string word;
  auto end_word = [&] {
    if (word.empty()) return;
    ++tally.words;
    auto found = WordTable().find(word);
    for (size_t i = 0; found != WordTable().end() && i < kLanguageCount; ++i) tally.hits[i] += found->second >> i & 1;
    word.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const UChar32 c = static_cast<UChar32>(NextCodePoint(text, &at));
    if (!u_isalpha(c)) {
      end_word();
      continue;
    }
    UErrorCode error = U_ZERO_ERROR;
    ++tally.letters;
    ++tally.scripts[uscript_getScript(c, &error)];
    char encoded[U8_MAX_LENGTH];
    int32_t size = 0;
    U8_APPEND_UNSAFE(encoded, size, u_tolower(c));
    if (word.size() < 64) word.append(encoded, static_cast<size_t>(size));
  }
  end_word();
  return tally;
}

std::string Percent(int64_t part, int64_t whole) { return absl::StrCat(whole == 0 ? 0 : 100 * part / whole, " %"); }

}  // namespace

LanguageGuess GuessLanguage(std::string_view text) {
  text = text.substr(0, ValidUtf8Prefix(text));
  Tally tally = Count(text);
  if (tally.letters == 0) return {"und", "no letters"};
  const int64_t kana = tally.scripts[USCRIPT_HIRAGANA] + tally.scripts[USCRIPT_KATAKANA];
  if (10 * kana >= tally.letters && 2 * (kana + tally.scripts[USCRIPT_HAN]) >= tally.letters) {
    return {"ja", absl::StrCat(Percent(kana, tally.letters), " of letters are kana")};
  }
  for (const ScriptLanguage& row : kScripts) {
    if (2 * tally.scripts[row.script] < tally.letters) continue;
    return {row.code, absl::StrCat(Percent(tally.scripts[row.script], tally.letters), " of letters are ", row.name)};
  }
  size_t best = 0;
  int64_t next = 0;
  for (size_t i = 1; i < kLanguageCount; ++i) {
    if (tally.hits[i] > tally.hits[best]) best = i;
  }
  for (size_t i = 0; i < kLanguageCount; ++i) {
    if (i != best) next = std::max(next, tally.hits[i]);
  }
  const std::string evidence = absl::StrCat(Percent(tally.hits[best], tally.words), " of ", tally.words,
                                            " words are among the commonest words of ", kLanguages[best].code);
  const bool sure = tally.words >= 50 && 10 * tally.hits[best] >= tally.words && 2 * tally.hits[best] >= 3 * next;
  return {sure ? kLanguages[best].code : "und", sure ? evidence : absl::StrCat("unclear: ", evidence)};
}

}  // namespace quern
