#include "cli/model_text.h"

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "nn/model_folder.h"

namespace quern::cli {

absl::StatusOr<ModelAndTokenizer> LoadModelAndTokenizer(const std::string& folder, bool needs_tokenizer) {
  ModelAndTokenizer loaded;
  // The small file first: what is wrong with it shows at once.
  if (needs_tokenizer || FileExists(JoinPath(folder, "tokenizer.json"))) {
    RETURN_IF_ERROR(ReadModelConfig(folder).status());
    absl::StatusOr<Tokenizer> tokenizer = Tokenizer::Load(folder);
    if (absl::IsNotFound(tokenizer.status())) {
      return absl::NotFoundError(absl::StrCat(folder, " has no tokenizer.json; give token ids instead of text"));
    }
    if (!tokenizer.ok()) return tokenizer.status();
    loaded.tokenizer = *std::move(tokenizer);
  }
  ASSIGN_OR_RETURN(loaded.model, LoadModel(folder));
  if (loaded.tokenizer.has_value() && loaded.tokenizer->vocab_size() > loaded.model->vocab_size()) {
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
