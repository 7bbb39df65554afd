#include "cli/chat/conversation.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "serve/answer_text.h"

namespace quern::cli {
namespace {

using Ids = std::vector<int32_t>;

}  // namespace

absl::StatusOr<std::unique_ptr<Conversation>> Conversation::Start(LanguageModel* model, const Tokenizer& tokenizer,
                                                                  const ConversationOptions& options,
                                                                  std::function<bool()> keep_going) {
  std::unique_ptr<Conversation> made(new Conversation(model, tokenizer, options, std::move(keep_going)));
  if (options.context > model->max_positions()) {
    return absl::InvalidArgumentError(absl::StrCat("--context ", options.context, " is more than the model's ",
                                                   model->max_positions(), " positions"));
  }
  ASSIGN_OR_RETURN(made->session_, Session::Create(model, {.positions = options.context}));
  const bool add_bos = tokenizer.adds_bos() && tokenizer.bos_id().has_value();
  ASSIGN_OR_RETURN(const Ids opening, tokenizer.Encode(options.opening, {.add_bos = add_bos}));
  made->opening_ = static_cast<int64_t>(opening.size());
  if (made->opening_ + 2 > made->context()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the conversation begins with ", made->opening_, made->opening_ == 1 ? " token" : " tokens",
                     ", which leaves no room to talk in a context of ", made->context(),
                     options.opening.empty() ? "; raise --context" : "; shorten --prompt"));
  }
  RETURN_IF_ERROR(made->session_->Append(opening));
  return made;
}

bool Conversation::Begins(int64_t size) const {
  return size == 0 || tokenizer_.IsSpecial(ids()[static_cast<size_t>(size) - 1]);
}

bool Conversation::EndsLine(int64_t size) const {
  return size > 0 && tokenizer_.TokenBytes(ids()[static_cast<size_t>(size) - 1]).ends_with('\n');
}

absl::StatusOr<Ids> Conversation::EncodeLine(std::string_view line) const {
  if (line.empty()) {
    const std::string stop = turns_.empty() ? "" : turns_.back().stop;
    if (!ids().empty()) return tokenizer_.Encode(stop, {.continues = true});
    if (tokenizer_.bos_id().has_value()) return Ids{*tokenizer_.bos_id()};
    return absl::InvalidArgumentError("an empty line lets the model go on, and there is no text yet");
  }
  const bool begins = Begins(session_->size()), breaks = !begins && !EndsLine(session_->size());
  const std::string text =
      absl::StrCat(breaks ? "\n" : "", options_.prefix, absl::string_view(line.data(), line.size()), options_.suffix);
  return tokenizer_.Encode(text, {.continues = !begins});
}

absl::Status Conversation::CheckRoom(int64_t tokens) const {
  const int64_t most = context() - opening_ - 1;
  if (tokens <= most) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the line is ", tokens, " tokens long, and the context of ", context(), " has room for ", most,
                   options_.opening.empty() ? "" : " behind --prompt", "; shorten it. The conversation is as it was"));
}

int64_t Conversation::MakeRoom(int64_t tokens, bool whole_turns) {
  const int64_t quarter = std::max<int64_t>(context() / 4, 1);
  if (session_->room() - tokens >= std::min<int64_t>(options_.max_new_tokens, quarter)) return 0;
  const auto begin_of = [&](size_t turn) { return turn < turns_.size() ? turns_[turn].begin : session_->size(); };
  // An empty line goes on with the last turn, which therefore stays, or its end.
  const size_t most = whole_turns || turns_.empty() ? turns_.size() : turns_.size() - 1;
  size_t forgotten = 0;
  while (forgotten < most && session_->room() + (begin_of(forgotten) - opening_) - tokens < quarter) ++forgotten;
  int64_t end = begin_of(forgotten);
  const bool cuts = !whole_turns && session_->room() + (end - opening_) - tokens < quarter;
  if (cuts) end = std::max(end, session_->size() - std::max<int64_t>((context() - opening_) / 2, 1));
  if (end <= opening_) return 0;
  // The newline before what is the first line now.
  const bool line_first = !cuts && forgotten < turns_.size() && !turns_[forgotten].line.empty();
  const bool no_newline = Begins(opening_) || EndsLine(opening_);
  if (line_first && no_newline && tokenizer_.TokenBytes(ids()[static_cast<size_t>(end)]) == "\n") ++end;
  LOG(WARNING) << "the context of " << context() << " tokens is full: "
               << (cuts
                       ? "all but the end of the text is forgotten"
                       : absl::StrCat("the oldest ", forgotten == 1 ? "turn is" : absl::StrCat(forgotten, " turns are"),
                                      " forgotten"))
               << ", and the rest is read again";
  session_->Erase(opening_, end);
  turns_.erase(turns_.begin(), turns_.begin() + static_cast<int64_t>(forgotten));
  for (Turn& turn : turns_) {
    turn.begin = std::max(turn.begin - (end - opening_), opening_);
    turn.answer = std::max(turn.answer - (end - opening_), opening_);
  }
  return static_cast<int64_t>(forgotten);
}

absl::StatusOr<Reply> Conversation::Say(std::string_view line, const TakeText& take) {
  ASSIGN_OR_RETURN(Ids ids, EncodeLine(line));
  RETURN_IF_ERROR(CheckRoom(static_cast<int64_t>(ids.size())));
  Reply reply;
  reply.forgotten_turns = MakeRoom(static_cast<int64_t>(ids.size()), !line.empty());
  // Where all is forgotten the line begins the text, and needs no newline before it.
  if (reply.forgotten_turns > 0) {
    ASSIGN_OR_RETURN(ids, EncodeLine(line));
  }
  turns_.push_back({session_->size(), session_->size() + static_cast<int64_t>(ids.size()), std::string(line), ""});
  return Answer(std::move(reply), ids, take);
}

absl::StatusOr<Reply> Conversation::Retry(const TakeText& take) {
  if (turns_.empty()) return absl::InvalidArgumentError("there is no answer yet to try again");
  if (turns_.back().answer == 0) return absl::InvalidArgumentError("what the last answer went on from is forgotten");
  session_->Truncate(turns_.back().answer);
  return Answer({}, {}, take);
}

absl::Status Conversation::Undo() {
  if (turns_.empty()) return absl::InvalidArgumentError("there is nothing to take back");
  session_->Truncate(turns_.back().begin);
  turns_.pop_back();
  return absl::OkStatus();
}

void Conversation::Reset() {
  session_->Truncate(opening_);
  turns_.clear();
}

absl::StatusOr<Reply> Conversation::Answer(Reply reply, const Ids& line, const TakeText& take) {
  reply.line = turns_.back().line;
  turns_.back().stop.clear();
  reply.cached_tokens = session_->cached();
  RETURN_IF_ERROR(session_->Append(line));
  reply.prompt_ids = ids();
  reply.cached_tokens = std::min<int64_t>(reply.cached_tokens, session_->size() - 1);
  reply.seed = options_.sampling.seed + answers_++;
  DecodeRequest request;
  request.sampling = options_.sampling;
  request.sampling.seed = reply.seed;
  request.max_new_tokens = static_cast<int32_t>(std::min<int64_t>(options_.max_new_tokens, session_->room()));
  request.stop_tokens = model_->eos_token_ids();
  // What an end-of-text token has closed is another text: a space behind it is none of the answer's.
  const auto ended = std::find_if(ids().rbegin(), ids().rend(), [&](int32_t id) { return tokenizer_.IsSpecial(id); });
  AnswerText answer(tokenizer_, options_.stops, std::span(ids()).last(static_cast<size_t>(ended - ids().rbegin())));
  const auto is_end = [&](int32_t token) {
    return std::find(request.stop_tokens.begin(), request.stop_tokens.end(), token) != request.stop_tokens.end();
  };
  request.stop = [&](int32_t token) { return !is_end(token) && answer.Push(token); };
  const auto give = [&] {
    const std::string piece = answer.Take();
    reply.text += piece;
    return piece.empty() || take(piece);
  };
  ASSIGN_OR_RETURN(reply.result, session_->Generate(request, {.on_token = [&](int32_t) { return give(); },
                                                              .keep_going = keep_going_}));
  answer.Finish();
  give();
  CutAtStop(reply);
  return reply;
}

void Conversation::CutAtStop(const Reply& reply) {
  const Ids& answer = reply.result.tokens;
  const int64_t begin = session_->size() - static_cast<int64_t>(answer.size());
  std::string raw;
  std::vector<size_t> ends;
  for (const int32_t id : answer) {
    if (!tokenizer_.IsSpecial(id)) raw += tokenizer_.TokenBytes(id);
    ends.push_back(raw.size());
  }
  // Where the shown text is not a beginning of the bytes (of invalid UTF-8, say), the ids stay as they are.
  size_t shown = reply.text.size();
  if (raw.compare(0, shown, reply.text) != 0) {
    if (raw.substr(0, 1) != " " || raw.compare(1, shown, reply.text) != 0) return;
    ++shown;  // a space that belongs to the tokenizer
  }
  if (shown >= raw.size()) return;
  for (const std::string& stop : options_.stops) {
    if (stop.size() > turns_.back().stop.size() && raw.compare(shown, stop.size(), stop) == 0)
      turns_.back().stop = stop;
  }
  const auto kept = std::upper_bound(ends.begin(), ends.end(), shown) - ends.begin();
  const size_t whole = kept == 0 ? 0 : ends[static_cast<size_t>(kept) - 1];
  session_->Truncate(begin + kept);
  const absl::StatusOr<Ids> rest = tokenizer_.Encode(raw.substr(whole, shown - whole), {.continues = true});
  // Without room for it the text lacks the end of a word, no more.
  if (rest.ok() && static_cast<int64_t>(rest->size()) <= session_->room()) CHECK_OK(session_->Append(*rest));
}

std::string Conversation::Text() const {
  Ids known;
  std::copy_if(ids().begin(), ids().end(), std::back_inserter(known),
               [&](int32_t id) { return tokenizer_.HasToken(id); });
  return *tokenizer_.Decode(known);
}

}  // namespace quern::cli
