#include "cli/chat/chat.h"

#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "base/suggest.h"

namespace quern::cli {

const char kChatHelp[] =
    R"(A line is added to the text, and the model goes on with the text. An empty line lets it go on where it stopped.
  /retry   another answer in the place of the last
  /undo    takes back the last line and its answer
  /text    shows the text so far, as the model reads it
  /reset   begins again
  /help    this
  /exit    leaves, as Ctrl-D does
"\" at the end of a line: the turn goes on with the next line. "//" at its beginning: a text that begins with "/".
Ctrl-C ends an answer; where nothing is being answered it leaves.)";

namespace {

const char* const kCommands[] = {"/retry", "/undo", "/text", "/reset", "/help", "/exit"};

Json Report(const Reply& reply) {
  const size_t prompt = reply.prompt_ids.size(), completion = reply.result.tokens.size();
  return {{"prompt", reply.line},
          {"prompt_ids", reply.prompt_ids},
          {"ids", reply.result.tokens},
          {"logprobs", reply.result.logprobs},
          {"text", reply.text},
          {"finish_reason", std::string(Name(reply.result.finish))},
          {"seed", reply.seed},
          {"forgotten_turns", reply.forgotten_turns},
          {"usage",
           {{"prompt_tokens", prompt},
            {"cached_tokens", reply.cached_tokens},
            {"completion_tokens", completion},
            {"total_tokens", prompt + completion}}}};
}

class Chat {
 public:
  Chat(Conversation& conversation, LineReader& input, const ChatOptions& options)
      : conversation_(conversation), input_(input), options_(options) {}

  absl::Status Run() {
    while (!left_) {
      ASSIGN_OR_RETURN(const std::optional<std::string> line, ReadTurn());
      if (!line.has_value()) {
        // Behind "^D" the shell's prompt gets a line of its own.
        return options_.interactive ? options_.print("\n") : absl::OkStatus();
      }
      const absl::Status done = Do(*line);
      if (done.ok()) continue;
      if (!absl::IsInvalidArgument(done)) return done;
      if (!options_.interactive) {
        return absl::InvalidArgumentError(absl::StrCat("standard input, line ", lines_, ": ", done.message()));
      }
      LOG(ERROR) << done.message();
    }
    return absl::OkStatus();
  }

 private:
  absl::StatusOr<std::optional<std::string>> ReadTurn() {
    std::string turn;
    for (const char* mark = "> ";; mark = ". ") {
      if (options_.interactive) RETURN_IF_ERROR(options_.print(mark));
      absl::StatusOr<std::optional<std::string>> line = input_.Next();
      if (absl::IsCancelled(line.status()) && options_.interactive) RETURN_IF_ERROR(options_.print("\n"));
      RETURN_IF_ERROR(line.status());
      ++lines_;
      if (!line->has_value()) return mark[0] == '>' ? std::nullopt : std::optional<std::string>(turn);
      turn += **line;
      if (turn.empty() || turn.back() != '\\') return turn;
      turn.back() = '\n';
    }
  }

  absl::Status Do(const std::string& turn) {
    const bool slash = turn.substr(0, 1) == "/", escaped = turn.substr(0, 2) == "//";
    if (slash && !escaped) return Command(std::string(absl::StripAsciiWhitespace(turn)));
    const std::string line = escaped ? turn.substr(1) : turn;
    return Finish(conversation_.Say(line, Taker()));
  }

  absl::Status Command(const std::string& name) {
    if (name == "/exit") return left_ = true, absl::OkStatus();
    if (name == "/undo") {
      RETURN_IF_ERROR(conversation_.Undo());
      if (options_.interactive) LOG(INFO) << "(the last line and its answer are taken back)";
      return absl::OkStatus();
    }
    if (name == "/reset") {
      conversation_.Reset();
      if (options_.interactive) LOG(INFO) << "(all is forgotten; the conversation begins again)";
      return absl::OkStatus();
    }
    if (name == "/retry") return Finish(conversation_.Retry(Taker()));
    if (name == "/help") {
      if (options_.interactive) return options_.print(absl::StrCat(kChatHelp, "\n"));
      LOG(INFO) << kChatHelp;
      return absl::OkStatus();
    }
    if (name == "/text") return ShowText();
    return absl::InvalidArgumentError(
        absl::StrCat("there is no command ", name, ".",
                     DidYouMean(name, std::vector<std::string>(std::begin(kCommands), std::end(kCommands))),
                     " /help lists them; a text that begins with / is written with //"));
  }

  absl::Status ShowText() {
    const std::string text = conversation_.Text();
    if (options_.json) return options_.print(WriteJsonLine({{"text", text}, {"ids", conversation_.ids()}}) + "\n");
    return options_.print(text + "\n");
  }

  TakeText Taker() {
    printed_ = absl::OkStatus();
    return [this](std::string_view piece) {
      if (!options_.json) printed_ = options_.print(piece);
      return printed_.ok();
    };
  }

  absl::Status Finish(const absl::StatusOr<Reply>& reply) {
    RETURN_IF_ERROR(reply.status());
    RETURN_IF_ERROR(printed_);
    // Also one that came too late to end the answer: it was not meant to end the conversation.
    const bool taken_back = options_.interactive && TakeBackSigint();
    if (reply->result.finish == FinishReason::kCancelled) {
      if (options_.interactive) RETURN_IF_ERROR(options_.print("\n"));
      return taken_back ? absl::OkStatus() : absl::CancelledError("interrupted");
    }
    if (options_.json) return options_.print(WriteJsonLine(Report(*reply)) + "\n");
    if (!options_.interactive) return options_.print("\n");
    if (reply->text.empty()) LOG(INFO) << "(an empty answer: it ended at once)";
    return reply->text.empty() || reply->text.back() == '\n' ? absl::OkStatus() : options_.print("\n");
  }

  Conversation& conversation_;
  LineReader& input_;
  const ChatOptions& options_;
  absl::Status printed_;
  int64_t lines_ = 0;
  bool left_ = false;
};

}  // namespace

absl::Status RunChat(Conversation& conversation, LineReader& input, const ChatOptions& options) {
  return Chat(conversation, input, options).Run();
}

std::string ChatTemplateFile(const std::string& folder) {
  for (const char* name : {"chat_template.jinja", "chat_template.json"}) {
    if (FileExists(JoinPath(folder, name))) return name;
  }
  const absl::StatusOr<Json> config = ReadJsonFile(JoinPath(folder, "tokenizer_config.json"));
  if (!config.ok() || !config->is_object()) return "";
  const auto found = config->find("chat_template");
  return found == config->end() || found->is_null() ? "" : "tokenizer_config.json";
}

}  // namespace quern::cli
