// quern chat
#include "cli/chat/chat.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "cli/chat/conversation.h"
#include "cli/chat/line_reader.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/model_text.h"
#include "cli/output.h"
#include "cli/sampling_flags.h"

namespace quern::cli {
namespace {

class ChatCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    options_.sampling.temperature = 0.8f;
    flags.Add("model_name", &model_name_, "M", "a model folder").Required();
    flags.Add("prompt", &options_.opening, "T", "the text that the conversation begins with; never forgotten");
    flags.Add("prompt_file", &prompt_file_, "F", "the same from a file");
    flags.Add("prefix", &options_.prefix, "T", "text before each of your lines");
    flags.Add("suffix", &options_.suffix, "T", "text behind each of your lines");
    AddSamplingFlags(&options_.max_new_tokens, &options_.sampling, &options_.stops, flags);
    flags.Add("context", &options_.context, "N", "tokens that the model sees at once; 0: all that it can")
        .Range(0, 1 << 30);
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags& flags) override {
    if (flags.Given("prompt") && flags.Given("prompt_file")) {
      return UsageError("give one of --prompt T and --prompt_file F");
    }
    if (flags.Given("prompt_file")) {
      ASSIGN_OR_RETURN(options_.opening, ReadFile(prompt_file_));
    }
    if (FileExists(JoinPath(model_name_, "config.json")) && !FileExists(JoinPath(model_name_, "tokenizer.json"))) {
      return absl::NotFoundError(absl::StrCat(model_name_,
                                              " has no tokenizer.json, which a conversation needs; `quern "
                                              "generate --prompt_ids` does without"));
    }
    ASSIGN_OR_RETURN(const ModelAndTokenizer loaded, LoadModelAndTokenizer(model_name_, /*needs_tokenizer=*/true));
    options_.sampling.seed = global.seed;
    ASSIGN_OR_RETURN(
        const std::unique_ptr<Conversation> conversation,
        Conversation::Start(loaded.model.get(), *loaded.tokenizer, options_, [] { return !Interrupted(); }));
    const std::string template_file = ChatTemplateFile(model_name_);
    if (!template_file.empty()) {
      LOG(WARNING) << JoinPath(model_name_, template_file)
                   << " has a chat template, and templates are not applied yet: the model reads your lines as they are";
    }
    ChatOptions chat;
    chat.interactive = !global.json && StdoutIsTerminal() && isatty(STDIN_FILENO) == 1;
    chat.json = global.json;
    chat.print = Print;
    if (chat.interactive) {
      LOG(INFO) << model_name_ << ": " << FormatCount(loaded.model->CountParameters()) << " parameters, context of "
                << FormatCount(conversation->context())
                << " tokens. It goes on with what you write; /help says more, Ctrl-D leaves.";
    }
    LineReader input(STDIN_FILENO);
    const absl::Status ended = RunChat(*conversation, input, chat);
    // Who pressed Ctrl-C needs no message about it.
    if (absl::IsCancelled(ended) && chat.interactive) return ExitStatus(ended);
    RETURN_IF_ERROR(ended);
    return kDone;
  }

 private:
  std::string model_name_, prompt_file_;
  ConversationOptions options_;
};

}  // namespace

extern const Verb kChat;
const Verb kChat = {
    .name = "chat",
    .summary = "talk with a model, line by line",
    .usage = "--model_name M [flags]",
    .details =
        R"(The conversation is one text. Each of your lines is added to it, on a line of its own, and the model goes on
with the text until its end-of-text token, --max_new_tokens, or a --stop text. An empty line lets it go on
where it stopped. Chat templates are not applied: a model that was trained on dialogues in some form gets it
by --prefix, --suffix and --stop. /help, /retry, /undo, /text, /reset and /exit are commands. Ctrl-C ends an
answer, and leaves where nothing is being answered; so does Ctrl-D.

What has been read is not read again. When the context is full, the oldest turns are forgotten, and a line
says so; --prompt stays. Answer k, counted from 0, is drawn with --seed + k, so the same lines give the same
answers.

Where stdin is no terminal, each line is a turn and stdout carries the answers alone, each ended by a newline.
--json prints an object per turn; `quern generate --prompt_ids` with its prompt_ids and seed gives that answer
again.)",
    .examples = R"(quern chat --model_name artifacts/book
printf 'In the beginning\nAnd then\n' | quern chat --model_name artifacts/book --seed 7
quern chat --model_name artifacts/play --prefix 'HAMLET: ' --suffix $'\nGHOST:' --stop 'HAMLET:')",
    .make = Make<ChatCommand>,
};

}  // namespace quern::cli
