#include "train/setup.h"

#include <google/protobuf/text_format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "data/loader.h"
#include "data/tokenizer/bpe_train.h"
#include "data/tokenizer/char_tokenizer.h"
#include "nn/model_folder.h"
#include "nn/models/common_fields.h"
#include "nn/models/models.h"
#include "tensor/memory.h"

namespace quern {
namespace {

// Shorter sequences are nobody's wish.
constexpr int64_t kLeastBlock = 8;
constexpr char kTokenizerFile[] = "tokenizer.json";

// Three or four bytes a token, and every token seen often enough to be learnt.
int64_t VocabularyFor(size_t text_bytes) {
  return std::clamp<int64_t>(256 + static_cast<int64_t>(text_bytes) / 256, 512, 4096);
}

absl::StatusOr<RunTokenizer> LoadTokenizer(const std::string& path) {
  ASSIGN_OR_RETURN(Tokenizer tokenizer, Tokenizer::Load(path));
  if (!IsFolder(path)) return RunTokenizer{std::move(tokenizer), path, ""};
  return RunTokenizer{std::move(tokenizer), JoinPath(path, kTokenizerFile), path};
}

absl::StatusOr<RunTokenizer> MakeCharTokenizer(const TextFile& train, const TextFile& validation) {
  std::string train_buffer, validation_buffer;
  ASSIGN_OR_RETURN(std::string_view train_text, WholeText(train, "\n", &train_buffer));
  ASSIGN_OR_RETURN(std::string_view validation_text, WholeText(validation, "\n", &validation_buffer));
  // Symbols of both: a rare one of the validation text would end the run.
  std::string both(train_text);
  both.append("\n").append(validation_text);
  ASSIGN_OR_RETURN(Tokenizer tokenizer, TrainChar(both));
  return RunTokenizer{std::move(tokenizer), "", ""};
}

absl::StatusOr<RunTokenizer> MakeBpeTokenizer(const TextFile& train) {
  BpeTrainOptions options;
  std::string buffer;
  ASSIGN_OR_RETURN(std::string_view text, WholeText(train, options.special_tokens[0], &buffer));
  options.vocab_size = VocabularyFor(text.size());
  LOG(INFO) << "no --tokenizer: training byte-level BPE on " << train.path << ", " << options.vocab_size
            << " ids at most";
  ASSIGN_OR_RETURN(Tokenizer tokenizer, TrainBpe(text, options));
  return RunTokenizer{std::move(tokenizer), "", ""};
}

ModelConfig DefaultModel() {
  ModelConfig config;
  LlamaConfig& llama = *config.mutable_llama();
  llama.set_hidden_size(128);
  llama.set_intermediate_size(352);
  llama.set_num_hidden_layers(4);
  llama.set_num_attention_heads(4);
  llama.set_tie_word_embeddings(true);
  return config;
}

// Fields that follow tokenizer and block where they were left open.
void FillFromRun(const TrainConfig& train, const Tokenizer& tokenizer, ModelConfig* config) {
  FillOpenFields({.vocab_size = tokenizer.vocab_size(),
                  .positions = train.block_size(),
                  .bos_token_id = tokenizer.bos_id(),
                  .eos_token_id = tokenizer.eos_id()},
                 config);
}

// Whether every field that `wanted` sets has the same value in `there`.
absl::Status CheckAgreement(const ModelConfig& wanted, const ModelConfig& there, const std::string& folder) {
  ModelConfig merged = there;
  merged.MergeFrom(wanted);
  RETURN_IF_ERROR(ValidArchitecture(merged).status());
  const Json ours = ModelConfigToJson(merged), theirs = ModelConfigToJson(there);
  for (const auto& item : ours.items()) {
    if (theirs.contains(item.key()) && theirs[item.key()] == item.value()) continue;
    const std::string found = theirs.contains(item.key()) ? WriteJsonLine(theirs[item.key()]) : "absent";
    return absl::InvalidArgumentError(
        absl::StrCat("--model_name ", folder, " is of another architecture than the config's `model`: ", item.key(),
                     " is ", found, " in its config.json and ", WriteJsonLine(item.value()),
                     " in the config; leave `model` out, or train from scratch"));
  }
  return absl::OkStatus();
}

// Positions of the model as far as the flags decide them.
absl::StatusOr<int64_t> LongestContext(const TrainConfig& config) {
  ModelConfig model = config.model();
  if (config.has_model_name()) {
    ASSIGN_OR_RETURN(model, ReadModelConfig(config.model_name()));
    return PositionsOf(model);
  }
  const bool known = model.architecture_case() != ModelConfig::ARCHITECTURE_NOT_SET && !PositionsAreOpen(model);
  return known ? PositionsOf(model) : std::numeric_limits<int64_t>::max();
}

}  // namespace

absl::StatusOr<RunTokenizer> ChooseTokenizer(const TrainConfig& config, const TextFile& train,
                                             const TextFile& validation) {
  if (config.tokenizer() == "byte") return RunTokenizer{Tokenizer::Bytes(), "", ""};
  if (config.tokenizer() == "char") return MakeCharTokenizer(train, validation);
  if (config.has_tokenizer()) return LoadTokenizer(config.tokenizer());
  if (config.has_model_name()) {
    absl::StatusOr<RunTokenizer> tokenizer = LoadTokenizer(config.model_name());
    if (tokenizer.ok() || tokenizer.status().code() != absl::StatusCode::kNotFound) return tokenizer;
    return absl::NotFoundError(absl::StrCat("--model_name ", config.model_name(), " has no ", kTokenizerFile,
                                            "; name the tokenizer it was trained with by --tokenizer"));
  }
  const std::string beside = JoinPath(Dirname(train.path), kTokenizerFile);
  if (!FileExists(beside)) return MakeBpeTokenizer(train);
  LOG(INFO) << "no --tokenizer: using " << beside << ", which lies beside the text";
  return LoadTokenizer(beside);
}

absl::StatusOr<ModelConfig> ChooseModelConfig(const TrainConfig& config, const Tokenizer& tokenizer) {
  ModelConfig model = config.model();
  if (config.has_model_name()) {
    ASSIGN_OR_RETURN(model, ReadModelConfig(config.model_name()));
    if (config.has_model() && config.model().architecture_case() != ModelConfig::ARCHITECTURE_NOT_SET) {
      RETURN_IF_ERROR(CheckAgreement(config.model(), model, config.model_name()));
    }
  } else {
    if (model.architecture_case() == ModelConfig::ARCHITECTURE_NOT_SET) model = DefaultModel();
    FillFromRun(config, tokenizer, &model);
  }
  if (config.has_dropout()) SetDropout(config.dropout(), &model);
  RETURN_IF_ERROR(ValidArchitecture(model).status());
  if (tokenizer.vocab_size() > VocabularyOf(model)) {
    return absl::InvalidArgumentError(absl::StrCat("the tokenizer has ", tokenizer.vocab_size(), " ids, the model ",
                                                   VocabularyOf(model),
                                                   " (vocab_size); use the tokenizer that belongs to the model"));
  }
  if (config.block_size() > PositionsOf(model)) {
    return absl::InvalidArgumentError(absl::StrCat("--block_size ", config.block_size(), " is longer than the model's ",
                                                   PositionsOf(model), " positions; make it shorter"));
  }
  return model;
}

absl::StatusOr<std::unique_ptr<LanguageModel>> MakeRunModel(const TrainConfig& config,
                                                            const ModelConfig& model_config) {
  if (!config.has_model_name()) return MakeModel(model_config, config.seed());
  // Through the folder's own config, then ours: dropout is all that may differ.
  ASSIGN_OR_RETURN(std::unique_ptr<LanguageModel> model, MakeModel(model_config, config.seed()));
  RETURN_IF_ERROR(LoadWeights(*model, config.model_name()));
  return model;
}

absl::StatusOr<TrainConfig> ResolveSettings(const TrainConfig& config, int64_t train_tokens,
                                            int64_t validation_tokens) {
  TrainConfig c = config;
  ASSIGN_OR_RETURN(const int64_t positions, LongestContext(config));
  const int64_t longest = std::min({train_tokens - 1, validation_tokens - 1, positions});
  if (!c.has_block_size() && longest >= kLeastBlock && longest < c.block_size()) {
    LOG(INFO) << "block_size " << longest << " in place of " << c.block_size() << ": the texts or the model are short";
    c.set_block_size(static_cast<int32_t>(longest));
  }
  c.set_block_size(c.block_size());
  for (auto [name, tokens] : {std::pair("train_file", train_tokens), std::pair("validation_file", validation_tokens)}) {
    if (WindowCount(tokens, c.block_size()) > 0) continue;
    return absl::InvalidArgumentError(absl::StrCat("--", name, ": ", tokens, " tokens are too short for one window of ",
                                                   c.block_size(),
                                                   " and the token after it; give more text, or a "
                                                   "smaller --block_size"));
  }
  if (c.max_steps() == 0) {
    const double samples = c.num_train_epochs() * static_cast<double>(WindowCount(train_tokens, c.block_size()));
    const double per_step = static_cast<double>(c.batch_size()) * c.gradient_accumulation_steps();
    c.set_max_steps(std::max<int64_t>(1, static_cast<int64_t>(std::floor(samples / per_step))));
  }
  if (c.max_steps() >= int64_t{1} << 31)
    return absl::InvalidArgumentError("--num_train_epochs makes 2^31 steps or more");
  c.clear_num_train_epochs();
  if (!c.has_learning_rate()) c.set_learning_rate(c.has_model_name() ? 1e-4 : c.learning_rate());
  if (!c.has_min_learning_rate()) c.set_min_learning_rate(c.learning_rate() / 10);
  if (!c.has_warmup_steps()) c.set_warmup_steps(std::min(c.warmup_steps(), c.max_steps() / 10));
  // The defaults of today, so that the file says what was run.
  c.set_batch_size(c.batch_size());
  c.set_gradient_accumulation_steps(c.gradient_accumulation_steps());
  c.set_lr_scheduler(c.lr_scheduler());
  c.set_weight_decay(c.weight_decay());
  c.set_adam_beta1(c.adam_beta1());
  c.set_adam_beta2(c.adam_beta2());
  c.set_adam_epsilon(c.adam_epsilon());
  c.set_max_grad_norm(c.max_grad_norm());
  c.set_eval_steps(c.eval_steps());
  c.set_eval_batches(c.eval_batches());
  c.set_seed(c.seed());
  return c;
}

std::string SettingsText(const TrainConfig& resolved, const ModelConfig& model_config) {
  TrainConfig c = resolved;
  c.clear_train_file();
  c.clear_validation_file();
  c.clear_output_dir();
  if (c.has_model_name()) {
    c.clear_model_name();
    c.clear_model();
  } else {
    *c.mutable_model() = model_config;
  }
  if (c.tokenizer() != "char" && c.tokenizer() != "byte") c.clear_tokenizer();
  c.clear_resume_from_checkpoint();
  c.clear_overwrite_output_dir();
  // These decide no bit of the result.
  c.clear_gradient_checkpointing();
  c.clear_logging_steps();
  c.clear_report_to();
  c.clear_save_steps();
  c.clear_save_total_limit();
  std::string text;
  google::protobuf::TextFormat::PrintToString(c, &text);
  return text;
}

}  // namespace quern
