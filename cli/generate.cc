// quern generate
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/ids.h"
#include "cli/model_text.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"
#include "nn/decode/decoder.h"
#include "serve/answer_text.h"

namespace quern::cli {
namespace {

using Ids = std::vector<int32_t>;

class GenerateCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.Add("model_name", &model_name_, "M", "a model folder").Required();
    flags.Add("prompt", &prompt_, "T", "text to continue; BOS is added as the tokenizer says");
    flags.Add("prompt_file", &prompt_file_, "F", "the text of a file");
    flags.Add("prompt_ids", &prompt_ids_, "1,2", "token ids, taken literally");
    AddSamplingFlags(&request_.max_new_tokens, &request_.sampling, &stops_, flags);
    flags.Add("echo", &echo_, "", "print the prompt, too");
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags& flags) override {
    const bool text = flags.Given("prompt"), file = flags.Given("prompt_file"), ids = flags.Given("prompt_ids");
    if (text + file + ids != 1) {
      return UsageError("give one of --prompt T, --prompt_file F and --prompt_ids 1,2");
    }
    if (ids) {
      ASSIGN_OR_RETURN(request_.prompt, ParseIdList(prompt_ids_, "--prompt_ids"));
    }
    if (file) {
      ASSIGN_OR_RETURN(prompt_, ReadFile(prompt_file_));
    }
    ASSIGN_OR_RETURN(ModelAndTokenizer loaded, LoadModelAndTokenizer(model_name_, !ids || !stops_.empty()));
    RETURN_IF_ERROR(PreparePrompt(loaded, ids, flags.Given("max_new_tokens")));
    request_.sampling.seed = global.seed;
    request_.stop_tokens = loaded.model->eos_token_ids();
    if (!loaded.tokenizer.has_value()) return RunWithoutText(global, *loaded.model);
    return RunWithText(global, *loaded.model, *loaded.tokenizer);
  }

 private:
  absl::Status PreparePrompt(const ModelAndTokenizer& loaded, bool is_ids, bool length_given) {
    if (!is_ids) {
      ASSIGN_OR_RETURN(request_.prompt, EncodePrompt(*loaded.tokenizer, prompt_));
      // An empty prompt begins a text.
      if (request_.prompt.empty() && loaded.tokenizer->bos_id().has_value()) {
        request_.prompt.push_back(*loaded.tokenizer->bos_id());
      }
    }
    if (request_.prompt.empty()) {
      return absl::InvalidArgumentError("the prompt is empty, and the tokenizer has no BOS to begin with");
    }
    const int64_t room = loaded.model->max_positions() - static_cast<int64_t>(request_.prompt.size());
    if (room < 1) {
      return absl::InvalidArgumentError(absl::StrCat("the prompt is ", request_.prompt.size(),
                                                     " tokens long, and the model has ", loaded.model->max_positions(),
                                                     " positions; shorten it"));
    }
    if (length_given && request_.max_new_tokens > room) {
      LOG(WARNING) << "the prompt leaves " << room << " of the model's " << loaded.model->max_positions()
                   << " positions; --max_new_tokens " << request_.max_new_tokens << " is cut to that";
    }
    request_.max_new_tokens = static_cast<int32_t>(std::min<int64_t>(request_.max_new_tokens, room));
    return absl::OkStatus();
  }

  bool IsEnd(int32_t token) const {
    return std::find(request_.stop_tokens.begin(), request_.stop_tokens.end(), token) != request_.stop_tokens.end();
  }

  absl::StatusOr<int> RunWithText(const GlobalFlags& global, LanguageModel& model, const Tokenizer& tokenizer) {
    std::string prompt = prompt_;
    if (!prompt_ids_.empty()) {
      ASSIGN_OR_RETURN(prompt, tokenizer.Decode(request_.prompt));
    }
    std::string text = echo_ ? prompt : "";
    if (!global.json) RETURN_IF_ERROR(Print(text));
    AnswerText answer(tokenizer, stops_, request_.prompt);
    absl::Status printed;
    const auto take = [&] {
      const std::string piece = answer.Take();
      text += piece;
      if (!global.json && printed.ok()) printed = Print(piece);
    };
    request_.stop = [&](int32_t token) { return !IsEnd(token) && answer.Push(token); };
    ASSIGN_OR_RETURN(const GenerateResult result, Generate(&model, request_, [&](int32_t) {
                       take();
                       return printed.ok() && !Interrupted();
                     }));
    answer.Finish();
    take();
    RETURN_IF_ERROR(printed);
    if (global.json) RETURN_IF_ERROR(Print(WriteJson(Report(result, text))));
    // So that the shell's prompt gets a line of its own.
    if (!global.json && StdoutIsTerminal()) RETURN_IF_ERROR(Print("\n"));
    return Finish(result);
  }

  absl::StatusOr<int> RunWithoutText(const GlobalFlags& global, LanguageModel& model) {
    ASSIGN_OR_RETURN(const GenerateResult result, Generate(&model, request_, [](int32_t) { return !Interrupted(); }));
    Ids shown = echo_ ? request_.prompt : Ids();
    shown.insert(shown.end(), result.tokens.begin(), result.tokens.end());
    RETURN_IF_ERROR(Print(global.json ? WriteJson(Report(result, nullptr)) : FormatIds(shown) + "\n"));
    return Finish(result);
  }

  static absl::StatusOr<int> Finish(const GenerateResult& result) {
    if (Interrupted()) return absl::CancelledError("interrupted");
    const double seconds = result.prefill_seconds + result.decode_seconds;
    const double rate = result.decode_seconds > 0 && result.tokens.size() > 1
                            ? static_cast<double>(result.tokens.size() - 1) / result.decode_seconds
                            : 0;
    LOG(INFO) << absl::StrFormat("%d tokens in %s (%.0f tokens/s after the first)", result.tokens.size(),
                                 FormatDuration(seconds), rate);
    return kDone;
  }

  Json Report(const GenerateResult& result, const Json& text) const {
    const size_t prompt = request_.prompt.size(), completion = result.tokens.size();
    return {{"prompt_ids", request_.prompt},
            {"ids", result.tokens},
            {"logprobs", result.logprobs},
            {"text", text},
            {"finish_reason", std::string(Name(result.finish))},
            {"usage",
             {{"prompt_tokens", prompt}, {"completion_tokens", completion}, {"total_tokens", prompt + completion}}}};
  }

  std::string model_name_, prompt_, prompt_file_, prompt_ids_;
  DecodeRequest request_;
  std::vector<std::string> stops_;
  bool echo_ = false;
};

}  // namespace

extern const Verb kGenerate;
const Verb kGenerate = {
    .name = "generate",
    .summary = "continue a text",
    .usage = "--model_name M (--prompt T | --prompt_file F | --prompt_ids 1,2) [flags]",
    .details = R"(Prints the continuation and nothing else, as it comes. It ends at --max_new_tokens, at the model's
end-of-text token, or before a --stop text. The same prompt, settings and --seed give the same text. --json
adds ids, log-probabilities under the model (in nats, as `quern score` gives them), and why it ended.)",
    .examples = R"(quern generate --model_name artifacts/book --prompt 'In the beginning'
quern generate --model_name artifacts/book --prompt 'And' --temperature 0.8 --top_p 0.95 --seed 7 --stop '.'
quern generate --model_name artifacts/book --prompt_ids 1,2,3 --json)",
    .make = Make<GenerateCommand>,
};

}  // namespace quern::cli
