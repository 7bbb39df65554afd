// Greedy answers to prompts, many at once.
#ifndef QUERN_EVAL_PREDICT_H_
#define QUERN_EVAL_PREDICT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/language_model.h"

namespace quern {

struct Predictions {
  std::vector<std::string> texts;  // one per prompt, without white space around
  int64_t truncated_prompts = 0;   // whose beginning did not fit into the model's positions
  int32_t max_new_tokens = 0;      // as used
};

// An answer is one line: it ends before the first line end that follows text, at an end-of-text token, or after
// `max_new_tokens`, of which at most half the model's positions are used. Of a prompt that does not fit beside them the
// last tokens are kept. BOS comes first where the tokenizer says so. Shows progress. InvalidArgument names the prompt
// (from 1); Cancelled after an interrupt.
absl::StatusOr<Predictions> Predict(LanguageModel& model, const Tokenizer& tokenizer,
                                    const std::vector<std::string>& prompts, int32_t max_new_tokens);

}  // namespace quern

#endif  // QUERN_EVAL_PREDICT_H_
