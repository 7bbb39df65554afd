// The talk around a Conversation: lines in, commands, answers out.
#ifndef QUERN_CLI_CHAT_CHAT_H_
#define QUERN_CLI_CHAT_CHAT_H_

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "cli/chat/conversation.h"
#include "cli/chat/line_reader.h"

namespace quern::cli {

struct ChatOptions {
  // A person sits there: a prompt before each line, bad lines get a message and no more, SIGINT ends an answer and not
  // the conversation. Otherwise stdout carries answers and nothing else, each ended by a newline, and what a line
  // cannot be answered with ends the conversation.
  bool interactive = false;
  bool json = false;  // an object per turn
  // stdout. An error ends the conversation.
  std::function<absl::Status(std::string_view text)> print;
};

// Until the input ends or /exit. A line is a turn; one that ends with "\" has the next line in it; one that begins with
// "/" is a command (kChatHelp), with "//" text. Cancelled after a signal: between lines, or, where nobody sits there,
// anywhere.
absl::Status RunChat(Conversation& conversation, LineReader& input, const ChatOptions& options);

extern const char kChatHelp[];

// "tokenizer_config.json" or the like where the folder's files say that the model has a chat template; else "".
std::string ChatTemplateFile(const std::string& folder);

}  // namespace quern::cli

#endif  // QUERN_CLI_CHAT_CHAT_H_
