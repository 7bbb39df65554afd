// What the tests with real models share: a small model of random weights, its tokenizer, its folder, its verdict, and
// what it answers when asked alone.
#ifndef QUERN_SERVE_MODEL_TESTING_H_
#define QUERN_SERVE_MODEL_TESTING_H_

#include <memory>
#include <string>
#include <vector>

#include "data/tokenizer/tokenizer.h"
#include "nn/decode/decoder.h"
#include "nn/language_model.h"

namespace quern {

// 97 symbols, as many as the models of nn/testing.h have tokens.
Tokenizer TestTokenizer();

// Writes the model of that name in SmallConfigs(), and TestTokenizer, into the new folder `name` below TempDir().
std::string MakeTestModelFolder(const std::string& name, const std::string& model = "llama");

// Gives the folder a verdict: PASSED, or FAILED by "loss".
void JudgeTestModel(const std::string& folder, bool passed = true);

// The text of Generate on one thread of control, by the steps that `quern generate` takes.
struct ReferenceAnswer {
  std::string text, finish_reason;
  int32_t prompt_tokens = 0, completion_tokens = 0;
};
ReferenceAnswer GenerateAlone(LanguageModel& model, const Tokenizer& tokenizer, const std::string& prompt,
                              int32_t max_new_tokens, const SamplingOptions& sampling = {},
                              const std::vector<std::string>& stop = {});

}  // namespace quern

#endif  // QUERN_SERVE_MODEL_TESTING_H_
