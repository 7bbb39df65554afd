// Conversation: a text that a person and a model write in turns, for models without a chat template.
//
//   text := opening turn*
//   turn := [newline] prefix line suffix answer      the newline only where the text so far does not end with one
//
// The model goes on with the whole text. An empty line adds nothing, so that the model goes on where it stopped. The
// text is what was shown: what a stop text cut off an answer is not part of it, unless an empty line goes on from
// there, past the stop text. An end-of-text token is, and behind it a new text begins (no newline goes before the next
// line).
//
// Lines are encoded by themselves, without BOS, and the ids of answers stay as they are. When the context is full, the
// oldest turns are forgotten, whole, until a quarter of it is free; the opening stays.
#ifndef QUERN_CLI_CHAT_CONVERSATION_H_
#define QUERN_CLI_CHAT_CONVERSATION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/decode/session.h"
#include "nn/language_model.h"

namespace quern::cli {

struct ConversationOptions {
  std::string opening;  // BOS goes before it as the tokenizer says
  std::string prefix, suffix;
  std::vector<std::string> stops;
  int32_t max_new_tokens = 128;  // an answer is shorter where the context ends
  SamplingOptions sampling;      // answer k of the conversation, from 0, draws from seed + k
  int64_t context = 0;           // positions; 0: as Session has it
};

struct Reply {
  std::string line;                 // what it answers
  std::vector<int32_t> prompt_ids;  // all that the answer continues
  int64_t cached_tokens = 0;        // how many of them had been read before
  int64_t forgotten_turns = 0;      // before this answer
  uint64_t seed = 0;
  GenerateResult result;
  std::string text;
};

// Gets an answer's text as it comes; false ends the answer.
using TakeText = std::function<bool(std::string_view piece)>;

class Conversation {
 public:
  // `model` outlives it. `keep_going` is asked before every step of the model; false ends the answer (kCancelled).
  // InvalidArgument: an opening as long as the context, bad options. ResourceExhausted: no memory for the cache.
  static absl::StatusOr<std::unique_ptr<Conversation>> Start(LanguageModel* model, const Tokenizer& tokenizer,
                                                             const ConversationOptions& options,
                                                             std::function<bool()> keep_going);

  // InvalidArgument, and the conversation is as it was: a symbol that the tokenizer lacks, a line longer than the
  // context has room for (says by how much), an empty line where there is no text.
  absl::StatusOr<Reply> Say(std::string_view line, const TakeText& take);
  // Another answer in the place of the last. InvalidArgument where there is none.
  absl::StatusOr<Reply> Retry(const TakeText& take);
  // Takes back the last turn. InvalidArgument where there is none.
  absl::Status Undo();
  // To the opening. Seeds count on.
  void Reset();

  const std::vector<int32_t>& ids() const { return session_->ids(); }
  int64_t context() const { return session_->positions(); }
  // The text as the model reads it, special tokens written out; ids without a token are left out.
  std::string Text() const;

 private:
  struct Turn {
    int64_t begin = 0, answer = 0;  // where it and its answer begin
    std::string line;
    std::string stop;  // the stop text that ended the answer
  };

  Conversation(LanguageModel* model, const Tokenizer& tokenizer, const ConversationOptions& options,
               std::function<bool()> keep_going)
      : model_(model), tokenizer_(tokenizer), options_(options), keep_going_(std::move(keep_going)) {}

  // Of the first `size` ids: no text yet, or it has ended; and whether they end with a newline.
  bool Begins(int64_t size) const;
  bool EndsLine(int64_t size) const;
  absl::StatusOr<std::vector<int32_t>> EncodeLine(std::string_view line) const;
  absl::Status CheckRoom(int64_t tokens) const;
  // Forgets what it must so that `tokens` more and an answer fit. Returns how many turns that were.
  int64_t MakeRoom(int64_t tokens, bool whole_turns);
  absl::StatusOr<Reply> Answer(Reply reply, const std::vector<int32_t>& line, const TakeText& take);
  // Takes what stands behind the shown text out of the session.
  void CutAtStop(const Reply& reply);

  LanguageModel* model_;
  Tokenizer tokenizer_;
  ConversationOptions options_;
  std::function<bool()> keep_going_;
  std::unique_ptr<Session> session_;
  int64_t opening_ = 0;  // tokens
  std::vector<Turn> turns_;
  uint64_t answers_ = 0;
};

}  // namespace quern::cli

#endif  // QUERN_CLI_CHAT_CONVERSATION_H_
