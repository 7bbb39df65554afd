// Session: one text that grows turn by turn. What is appended and what is generated stay, and so do their keys and
// values: a turn reads only what is new.
//
//   std::unique_ptr<Session> session = *Session::Create(model, {});
//   session->Generate({.prompt = question, .max_new_tokens = 64});
//   session->Generate({.prompt = next_question, .max_new_tokens = 64});  // reads next_question alone
//
// An answer's tokens and log-probabilities are, bit for bit, those of Generate (decoder.h) with all ids so far as its
// prompt, whatever was cached. Not thread-safe.
#ifndef QUERN_NN_DECODE_SESSION_H_
#define QUERN_NN_DECODE_SESSION_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nn/decode/decoder.h"
#include "nn/language_model.h"

namespace quern {

class KvCache;

struct SessionOptions {
  int64_t positions = 0;        // longest text; 0: the model's positions, or as many halvings of that as make it fit
  int32_t prefill_chunk = 256;  // tokens read per forward
};

struct SessionHooks {
  std::function<bool(int32_t token)> on_token;  // sees each token of the answer as it comes; false cancels
  std::function<bool()> keep_going;  // asked before each forward, while the prompt is read too; false cancels
};

class Session {
 public:
  // `model` outlives the session. InvalidArgument names a bad option. ResourceExhausted when the cache does not fit in
  // memory.
  static absl::StatusOr<std::unique_ptr<Session>> Create(LanguageModel* model, const SessionOptions& options);
  ~Session();

  const std::vector<int32_t>& ids() const { return ids_; }
  int64_t size() const { return static_cast<int64_t>(ids_.size()); }
  int64_t positions() const { return positions_; }
  int64_t room() const { return positions_ - size(); }
  int64_t cached() const { return cached_; }  // leading ids that are not read again

  // InvalidArgument, and nothing changes: a token out of range, more tokens than there is room for.
  absl::Status Append(std::span<const int32_t> ids);
  // Appends request.prompt (which may be empty where the text is not) and the answer. Cancelled while the prompt is
  // read, the answer is empty; the prompt stays. InvalidArgument, and nothing changes: those of Append, no text at all,
  // no room for max_new_tokens, bad sampling.
  absl::StatusOr<GenerateResult> Generate(const DecodeRequest& request, const SessionHooks& hooks = {});

  // Keeps the first `size` ids.
  void Truncate(int64_t size);
  // Takes out [begin, end). What stood behind moves forward and is read again.
  void Erase(int64_t begin, int64_t end);

 private:
  Session(LanguageModel* model, const SessionOptions& options, std::unique_ptr<KvCache> cache);
  absl::Status ValidateRequest(const DecodeRequest& request) const;
  // Reads up to `tokens` ids that are not cached; the logits of the last id of all, once it is read.
  Tensor Read(int64_t tokens);

  LanguageModel* model_;
  int64_t positions_, prefill_chunk_;
  std::unique_ptr<KvCache> cache_;
  std::vector<int32_t> blocks_;
  std::vector<int32_t> ids_;
  int64_t cached_ = 0;
};

}  // namespace quern

#endif  // QUERN_NN_DECODE_SESSION_H_
