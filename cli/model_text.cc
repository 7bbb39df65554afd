#include "cli/model_text.h"

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "nn/model_folder.h"

namespace quern::cli {

absl::StatusOr<ModelAndTokenizer> LoadModelAndTokenizer(const std::string& folder, bool needs_tokenizer) {
  ModelAndTokenizer loaded;
  // The small files first: what is wrong with them shows at once.
  RETURN_IF_ERROR(ReadModelConfig(folder).status());
  if (needs_tokenizer || FileExists(JoinPath(folder, "tokenizer.json"))) {
    absl::StatusOr<Tokenizer> tokenizer = Tokenizer::Load(folder);
    if (tokenizer.ok()) {
      loaded.tokenizer = *std::move(tokenizer);
    } else if (!needs_tokenizer) {
      LOG(WARNING) << tokenizer.status().message() << " Going on with ids alone.";
    } else if (absl::IsNotFound(tokenizer.status())) {
      return absl::NotFoundError(absl::StrCat(folder, " has no tokenizer.json; give token ids instead of text"));
    } else {
      return tokenizer.status();
    }
  }
  ASSIGN_OR_RETURN(loaded.model, LoadModel(folder));
  if (needs_tokenizer && loaded.tokenizer->vocab_size() > loaded.model->vocab_size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        folder, ": tokenizer.json has ids up to ", loaded.tokenizer->vocab_size() - 1,
        ", the model's vocabulary ends at ", loaded.model->vocab_size() - 1, "; they do not belong together"));
  }
  return loaded;
}

absl::StatusOr<std::vector<int32_t>> EncodePrompt(const Tokenizer& tokenizer, std::string_view text) {
  return tokenizer.Encode(text, {.add_bos = tokenizer.adds_bos() && tokenizer.bos_id().has_value()});
}

}  // namespace quern::cli
