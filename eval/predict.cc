#include "eval/predict.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/interrupt.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "nn/decode/decoder.h"

namespace quern {
namespace {

// Where the first line that holds text ends; npos while it has not.
class FirstLine {
 public:
  // True once `bytes` end it.
  bool Take(std::string_view bytes) {
    for (char c : bytes) {
      if (c == '\n' && has_text_) return true;
      has_text_ = has_text_ || !absl::ascii_isspace(static_cast<unsigned char>(c));
    }
    return false;
  }

 private:
  bool has_text_ = false;
};

std::string Trimmed(std::string_view text) {
  constexpr char kSpace[] = " \t\n\r\f\v";
  const size_t begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return "";
  text = text.substr(begin, text.find('\n', begin) - begin);
  return std::string(text.substr(0, text.find_last_not_of(kSpace) + 1));
}

absl::StatusOr<DecodeRequest> RequestFor(const LanguageModel& model, const Tokenizer& tokenizer,
                                         const std::string& prompt, Predictions& predictions) {
  DecodeRequest request;
  request.max_new_tokens = predictions.max_new_tokens;
  request.stop_tokens = model.eos_token_ids();
  if (tokenizer.eos_id().has_value()) request.stop_tokens.push_back(*tokenizer.eos_id());
  ASSIGN_OR_RETURN(request.prompt, tokenizer.Encode(prompt));
  const bool has_bos = tokenizer.bos_id().has_value() && (tokenizer.adds_bos() || request.prompt.empty());
  const int64_t room = model.max_positions() - predictions.max_new_tokens - (has_bos ? 1 : 0);
  if (room < 1 && !request.prompt.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the model's ", model.max_positions(), " positions leave no room for a prompt"));
  }
  if (static_cast<int64_t>(request.prompt.size()) > room) {
    request.prompt.erase(request.prompt.begin(), request.prompt.end() - room);
    ++predictions.truncated_prompts;
  }
  if (has_bos) request.prompt.insert(request.prompt.begin(), *tokenizer.bos_id());
  if (request.prompt.empty()) {
    return absl::InvalidArgumentError("it is empty, and the tokenizer has no BOS token to begin with");
  }
  request.stop = [&tokenizer, line = FirstLine()](int32_t token) mutable {
    return line.Take(tokenizer.TokenBytes(token));
  };
  return request;
}

}  // namespace

absl::StatusOr<Predictions> Predict(LanguageModel& model, const Tokenizer& tokenizer,
                                    const std::vector<std::string>& prompts, int32_t max_new_tokens) {
  Predictions predictions;
  const int64_t half = std::max<int64_t>(1, model.max_positions() / 2);
  predictions.max_new_tokens = static_cast<int32_t>(std::clamp<int64_t>(max_new_tokens, 1, half));
  std::vector<std::vector<int32_t>> tokens(prompts.size());
  ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder, Decoder::Create(&model, {}));
  Progress progress("predict", static_cast<int64_t>(prompts.size()), "prompts");
  std::map<SequenceId, size_t> running;
  int64_t done = 0;
  DecodeRequest waiting;
  for (size_t next = 0; next < prompts.size() || !running.empty();) {
    if (Interrupted()) return absl::CancelledError("interrupted; nothing was written");
    while (next < prompts.size()) {
      if (waiting.prompt.empty()) {
        absl::StatusOr<DecodeRequest> request = RequestFor(model, tokenizer, prompts[next], predictions);
        if (!request.ok()) {
          return absl::Status(request.status().code(),
                              absl::StrCat("prompt ", next + 1, ": ", request.status().message()));
        }
        waiting = *std::move(request);
      }
      absl::StatusOr<SequenceId> id = decoder->Add(waiting);
      if (absl::IsResourceExhausted(id.status()) && !running.empty()) break;
      if (!id.ok()) {
        return absl::Status(id.status().code(), absl::StrCat("prompt ", next + 1, ": ", id.status().message()));
      }
      running[*id] = next++;
      waiting = {};
    }
    for (const DecodeOutput& output : decoder->Step()) {
      auto it = running.find(output.id);
      if (it == running.end()) continue;
      if (output.token >= 0) tokens[it->second].push_back(output.token);
      if (output.finish == FinishReason::kNone) continue;
      running.erase(it);
      progress.Update(++done);
    }
  }
  for (const std::vector<int32_t>& ids : tokens) {
    std::string text;
    for (int32_t id : ids) {
      if (!tokenizer.IsSpecial(id)) absl::StrAppend(&text, std::string(tokenizer.TokenBytes(id)));
    }
    predictions.texts.push_back(Trimmed(text));
  }
  return predictions;
}

}  // namespace quern
