#include "serve/model_testing.h"

#include <utility>

#include "base/file.h"
#include "base/json.h"
#include "base/lineage.h"
#include "base/log.h"
#include "data/tokenizer/char_tokenizer.h"
#include "gtest/gtest.h"
#include "nn/model_folder.h"
#include "nn/testing.h"
#include "serve/answer_text.h"

namespace quern {

Tokenizer TestTokenizer() {
  std::string symbols = "\nä";
  for (char c = ' '; c <= '~'; ++c) symbols.push_back(c);
  return *TrainChar(symbols);
}

std::string MakeTestModelFolder(const std::string& name, const std::string& model) {
  const std::string folder = JoinPath(testing::TempDir(), name);
  CHECK(RemoveAll(folder).ok() && MakeFolders(folder).ok()) << folder;
  CHECK(SaveModel(*SmallModel(model), folder).ok()) << folder;
  CHECK(TestTokenizer().Save(JoinPath(folder, "tokenizer.json")).ok()) << folder;
  return folder;
}

void JudgeTestModel(const std::string& folder, bool passed) {
  const std::string quern = JoinPath(folder, "quern"), policy = JoinPath(quern, "policy.textproto");
  CHECK(MakeFolders(quern).ok()) << quern;
  Json report = NewArtefact("eval");
  report["metrics"]["loss"] = 1.5;
  report["inputs"]["model"] = *DescribeFile(WeightsFile(folder), quern);
  CHECK(WriteFileAtomic(JoinPath(quern, "eval.json"), WriteJson(report)).ok());
  CHECK(WriteFileAtomic(policy, "check { metric: \"loss\" max: 6.0 }\n").ok());
  VerdictTests tests;
  (passed ? tests.passed : tests.failed).push_back("loss");
  CHECK(WriteVerdict(folder, tests, policy, JoinPath(quern, "eval.json")).ok());
}

ReferenceAnswer GenerateAlone(LanguageModel& model, const Tokenizer& tokenizer, const std::string& prompt,
                              int32_t max_new_tokens, const SamplingOptions& sampling,
                              const std::vector<std::string>& stop) {
  DecodeRequest request;
  request.prompt = *tokenizer.Encode(prompt);
  AnswerText text(tokenizer, stop, request.prompt);
  request.max_new_tokens = max_new_tokens;
  request.sampling = sampling;
  request.stop_tokens = model.eos_token_ids();
  request.stop = [&](int32_t token) { return text.Push(token); };
  ReferenceAnswer answer;
  answer.prompt_tokens = static_cast<int32_t>(request.prompt.size());
  const GenerateResult result = *Generate(&model, std::move(request));
  text.Finish();
  answer.text = text.Take();
  answer.finish_reason = std::string(Name(result.finish));
  answer.completion_tokens = static_cast<int32_t>(result.tokens.size());
  return answer;
}

}  // namespace quern
