#include "eval/stemmer.h"

#include <algorithm>
#include <span>
#include <unordered_map>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/suggest.h"

namespace quern {
namespace {

bool IsVowelLetter(char c) { return c == 'a' || c == 'e' || c == 'i' || c == 'o' || c == 'u'; }

// What the rules ask of a stem. `y` is a consonant at the start and after a vowel.
class Stem {
 public:
  explicit Stem(std::string_view text) : text_(text), consonant_(text.size()) {
    for (size_t i = 0; i < text.size(); ++i) {
      consonant_[i] = text[i] == 'y' ? i == 0 || !consonant_[i - 1] : !IsVowelLetter(text[i]);
    }
  }

  // m: how often a consonant follows a vowel.
  int Measure() const {
    int measure = 0;
    for (size_t i = 1; i < text_.size(); ++i) measure += !consonant_[i - 1] && consonant_[i] ? 1 : 0;
    return measure;
  }
  bool HasVowel() const { return std::find(consonant_.begin(), consonant_.end(), false) != consonant_.end(); }
  bool EndsInConsonant() const { return !text_.empty() && consonant_.back(); }
  bool EndsInDoubleConsonant() const {
    return text_.size() >= 2 && text_[text_.size() - 2] == text_.back() && consonant_.back();
  }
  // *o: consonant, vowel, consonant other than w, x, y; or a vowel and a consonant alone.
  bool EndsShort() const {
    const size_t n = text_.size();
    if (n == 2) return !consonant_[0] && consonant_[1];
    if (n < 3 || !consonant_[n - 3] || consonant_[n - 2] || !consonant_[n - 1]) return false;
    return text_.back() != 'w' && text_.back() != 'x' && text_.back() != 'y';
  }

 private:
  std::string_view text_;
  std::vector<bool> consonant_;
};

struct Rule {
  std::string_view suffix, replacement = {};
};

std::string_view Without(std::string_view word, std::string_view suffix) {
  return word.substr(0, word.size() - suffix.size());
}

// The first rule whose suffix fits decides: it is applied where the stem's measure exceeds `above`, else nothing is.
std::string Apply(std::string_view word, std::span<const Rule> rules, int above) {
  for (const Rule& rule : rules) {
    if (!word.ends_with(rule.suffix)) continue;
    const std::string_view stem = Without(word, rule.suffix);
    // "logi" keeps its l for the measure, and "ion" goes only after s or t.
    const std::string_view measured = rule.suffix == "logi" ? Without(word, "ogi") : stem;
    if (Stem(measured).Measure() <= above) break;
    if (rule.suffix == "ion" && !stem.ends_with('s') && !stem.ends_with('t')) break;
    return absl::StrCat(std::string(stem), std::string(rule.replacement));
  }
  return std::string(word);
}

std::string Step1a(std::string_view word) {
  if (word.size() == 4 && word.ends_with("ies")) return std::string(word.substr(0, 3));
  for (std::string_view suffix : {"sses", "ies"}) {
    if (word.ends_with(suffix)) return std::string(word.substr(0, word.size() - 2));
  }
  if (word.ends_with('s') && !word.ends_with("ss")) word.remove_suffix(1);
  return std::string(word);
}

// What is left of -ed and -ing gets its e back, or loses a doubled letter.
std::string MendStem(std::string_view word) {
  if (word.ends_with("at") || word.ends_with("bl") || word.ends_with("iz")) return std::string(word) + "e";
  const Stem stem(word);
  if (stem.EndsInDoubleConsonant()) {
    const char last = word.back();
    return std::string(last == 'l' || last == 's' || last == 'z' ? word : word.substr(0, word.size() - 1));
  }
  return stem.Measure() == 1 && stem.EndsShort() ? std::string(word) + "e" : std::string(word);
}

std::string Step1b(std::string_view word) {
  if (word.ends_with("ied")) return std::string(word.substr(0, word.size() - (word.size() == 4 ? 1 : 2)));
  if (word.ends_with("eed")) {
    return std::string(Stem(Without(word, "eed")).Measure() > 0 ? word.substr(0, word.size() - 1) : word);
  }
  for (std::string_view suffix : {"ed", "ing"}) {
    if (word.ends_with(suffix) && Stem(Without(word, suffix)).HasVowel()) return MendStem(Without(word, suffix));
  }
  return std::string(word);
}

std::string Step1c(std::string word) {
  if (word.size() > 2 && word.back() == 'y' && Stem(word.substr(0, word.size() - 1)).EndsInConsonant()) {
    word.back() = 'i';
  }
  return word;
}

std::string Step2(const std::string& word) {
  static constexpr Rule kRules[] = {
      {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"},
      {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"}, {"eli", "e"},     {"ousli", "ous"},
      {"ization", "ize"}, {"ation", "ate"},   {"ator", "ate"},  {"alism", "al"},  {"iveness", "ive"},
      {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"},  {"iviti", "ive"}, {"biliti", "ble"},
      {"fulli", "ful"},   {"logi", "log"},
  };
  std::string stem = Apply(word, kRules, /*above=*/0);
  // What -alli uncovered may be -ational.
  if (word.ends_with("alli") && stem != word) return Apply(stem, kRules, /*above=*/0);
  return stem;
}

std::string Step3(std::string_view word) {
  static constexpr Rule kRules[] = {{"icate", "ic"}, {"ative", ""}, {"alize", "al"}, {"iciti", "ic"},
                                    {"ical", "ic"},  {"ful", ""},   {"ness", ""}};
  return Apply(word, kRules, /*above=*/0);
}

std::string Step4(std::string_view word) {
  static constexpr Rule kRules[] = {{"al"},  {"ance"},  {"ence"}, {"er"},  {"ic"},  {"able"}, {"ible"},
                                    {"ant"}, {"ement"}, {"ment"}, {"ent"}, {"ion"}, {"ou"},   {"ism"},
                                    {"ate"}, {"iti"},   {"ous"},  {"ive"}, {"ize"}};
  return Apply(word, kRules, /*above=*/1);
}

std::string Step5(std::string word) {
  if (word.ends_with('e')) {
    const std::string shorter = word.substr(0, word.size() - 1);
    const Stem stem(shorter);
    if (stem.Measure() > 1 || (stem.Measure() == 1 && !stem.EndsShort())) word.pop_back();
  }
  if (word.ends_with("ll") && Stem(std::string_view(word).substr(0, word.size() - 1)).Measure() > 1) word.pop_back();
  return word;
}

}  // namespace

std::string_view Name(Stemmer stemmer) { return stemmer == Stemmer::kPorter ? "porter" : "none"; }

absl::StatusOr<Stemmer> ParseStemmer(std::string_view name) {
  for (Stemmer stemmer : {Stemmer::kNone, Stemmer::kPorter}) {
    if (name == Name(stemmer)) return stemmer;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("stemmer: none or porter, not \"", std::string(name), "\".", DidYouMean(name, {"none", "porter"})));
}

std::string PorterStem(std::string_view word) {
  static const auto& irregular = *new std::unordered_map<std::string_view, std::string_view>{
      {"skies", "sky"},      {"sky", "sky"},         {"dying", "die"},        {"lying", "lie"},
      {"tying", "tie"},      {"news", "news"},       {"innings", "inning"},   {"inning", "inning"},
      {"outings", "outing"}, {"outing", "outing"},   {"cannings", "canning"}, {"canning", "canning"},
      {"howe", "howe"},      {"proceed", "proceed"}, {"exceed", "exceed"},    {"succeed", "succeed"},
  };
  if (auto it = irregular.find(word); it != irregular.end()) return std::string(it->second);
  if (word.size() <= 2) return std::string(word);
  return Step5(Step4(Step3(Step2(Step1c(Step1b(Step1a(word)))))));
}

}  // namespace quern
