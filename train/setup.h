// From flags to what a run needs: tokenizer, architecture, and the settings that were left open.
#ifndef QUERN_TRAIN_SETUP_H_
#define QUERN_TRAIN_SETUP_H_

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/language_model.h"
#include "train/corpus.h"
#include "train/train_config.pb.h"

namespace quern {

struct RunTokenizer {
  Tokenizer tokenizer;
  std::string path;    // the file it was read from; empty: made of the texts, so it is the run's own
  std::string folder;  // of a model whose other tokenizer files go with it; empty: none
};

// As TrainConfig.tokenizer says. Makes nothing on disk; says on the log what it chose where that was left open.
absl::StatusOr<RunTokenizer> ChooseTokenizer(const TrainConfig& config, const TextFile& train,
                                             const TextFile& validation);

// config.model, or the default, with vocabulary, longest context and special ids filled in where they were left open;
// with config.model_name, that model's. InvalidArgument: the tokenizer has more ids than the model, sequences are
// longer than it can read, or config.model is not what config.model_name holds.
absl::StatusOr<ModelConfig> ChooseModelConfig(const TrainConfig& config, const Tokenizer& tokenizer);

// Random weights, or those of config.model_name.
absl::StatusOr<std::unique_ptr<LanguageModel>> MakeRunModel(const TrainConfig& config, const ModelConfig& model_config);

// Every open field but paths and model, so that the same settings with other defaults would be the same run.
// InvalidArgument for a text without one window, naming its ids and the block.
absl::StatusOr<TrainConfig> ResolveSettings(const TrainConfig& config, int64_t train_tokens, int64_t validation_tokens);

// Text form of a resolved config without paths: quern/settings.txtpb.
std::string SettingsText(const TrainConfig& resolved, const ModelConfig& model_config);

}  // namespace quern

#endif  // QUERN_TRAIN_SETUP_H_
