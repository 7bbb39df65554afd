// Text in and out of a model: prompts to ids as the tokenizer says, answers back to text.
#ifndef QUERN_CLI_MODEL_TEXT_H_
#define QUERN_CLI_MODEL_TEXT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/language_model.h"

namespace quern::cli {

struct ModelAndTokenizer {
  std::unique_ptr<LanguageModel> model;
  std::optional<Tokenizer> tokenizer;  // none: the folder has no tokenizer.json that can be read
};

// Where `needs_tokenizer`: NotFound, saying how to do without, for a folder without tokenizer.json; InvalidArgument
// where the tokenizer has ids that the model lacks. Else a tokenizer that cannot be read is a warning.
absl::StatusOr<ModelAndTokenizer> LoadModelAndTokenizer(const std::string& folder, bool needs_tokenizer);

// Special tokens in the text are plain text; BOS comes first where the tokenizer says so.
absl::StatusOr<std::vector<int32_t>> EncodePrompt(const Tokenizer& tokenizer, std::string_view text);

}  // namespace quern::cli

#endif  // QUERN_CLI_MODEL_TEXT_H_
