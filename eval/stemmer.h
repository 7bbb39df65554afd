// Stemming of English words before they are compared.
#ifndef QUERN_EVAL_STEMMER_H_
#define QUERN_EVAL_STEMMER_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quern {

enum class Stemmer { kNone, kPorter };

std::string_view Name(Stemmer stemmer);  // "none", "porter"
// InvalidArgument lists the stemmers and suggests the nearest.
absl::StatusOr<Stemmer> ParseStemmer(std::string_view name);

// Porter, "An algorithm for suffix stripping", Program 14(3), 1980, with the changes that NLTK makes by default,
// because rouge_score calls that one: a table of irregular words; y -> i also after a consonant alone ("dry" -> "dri",
// but "enjoy" stays); -ies of four letters ("dies" -> "die"); -alli before -al; -fulli -> -ful; -logi -> -log; words of
// two letters stay. `word`: lower-case ASCII letters and digits.
std::string PorterStem(std::string_view word);

}  // namespace quern

#endif  // QUERN_EVAL_STEMMER_H_
