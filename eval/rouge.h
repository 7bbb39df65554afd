// ROUGE: how much of a reference text a prediction recovers (Lin, "ROUGE: A Package for Automatic Evaluation of
// Summaries", 2004), with the numbers of ROUGE-1.5.5 and of Google's rouge_score.
//
// Tokens: runs of ASCII letters and digits, lower-cased; the stemmer, where there is one, takes those longer than three
// letters. Text in other scripts has no tokens and scores 0.
// P = hits / tokens of the prediction, R = hits / tokens of the reference, F = 2PR / (P + R); 0 where undefined.
#ifndef QUERN_EVAL_ROUGE_H_
#define QUERN_EVAL_ROUGE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "eval/stemmer.h"

namespace quern {

struct RougeScore {
  double precision = 0, recall = 0, fmeasure = 0;
};

struct RougeScores {
  RougeScore rouge1, rouge2;  // hits: n-grams in common, each as often as in the text that has fewer
  RougeScore rougeL;          // hits: the longest common subsequence of the whole texts
  // Hits: for each line of the reference the union of its longest common subsequences with each line of the prediction,
  // no token counted more often than either text has it.
  RougeScore rougeLsum;
};

std::vector<std::string> RougeTokens(std::string_view text, Stemmer stemmer);

// InvalidArgument: texts so long that their table would not fit (2^28 cells for two lines; 2^36 for two texts).
absl::StatusOr<RougeScores> Rouge(std::string_view reference, std::string_view prediction, Stemmer stemmer);

// Of each record, on the current thread pool. `references` and `predictions` are equally many; errors name the record
// (from 1). Cancelled after an interrupt.
absl::StatusOr<std::vector<RougeScores>> RougeOfRecords(const std::vector<std::string>& references,
                                                        const std::vector<std::string>& predictions, Stemmer stemmer);

RougeScores MeanRouge(const std::vector<RougeScores>& records);

}  // namespace quern

#endif  // QUERN_EVAL_ROUGE_H_
