// AnswerText: the tokens of one answer as text that ends before a stop string. What `quern generate` prints and what
// the server sends go through the same two steps, StreamDecoder and StopMatcher.
#ifndef QUERN_SERVE_ANSWER_TEXT_H_
#define QUERN_SERVE_ANSWER_TEXT_H_

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/tokenizer/stop_matcher.h"
#include "data/tokenizer/stream_decoder.h"
#include "data/tokenizer/tokenizer.h"

namespace quern {

class AnswerText {
 public:
  // `prompt`: what the answer continues. Where it holds text, a space at the answer's start belongs to the answer.
  AnswerText(const Tokenizer& tokenizer, std::vector<std::string> stops, std::span<const int32_t> prompt)
      : decoder_(tokenizer, {.continues = HoldsText(tokenizer, prompt)}), matcher_(std::move(stops)) {}

  // True when a stop string is complete: a StopFn. End-of-sequence tokens are not pushed.
  bool Push(int32_t token) {
    ready_ += matcher_.Push(decoder_.Push(token));
    return matcher_.stopped();
  }
  // The answer has ended: gives out what was held back.
  void Finish() {
    if (matcher_.stopped()) return;
    ready_ += matcher_.Push(decoder_.Finish());
    ready_ += matcher_.Finish();
  }
  // Text that has become certain since the last call.
  std::string Take() { return std::exchange(ready_, std::string()); }

 private:
  static bool HoldsText(const Tokenizer& tokenizer, std::span<const int32_t> ids) {
    return std::any_of(ids.begin(), ids.end(), [&](int32_t id) { return !tokenizer.IsSpecial(id); });
  }

  StreamDecoder decoder_;
  StopMatcher matcher_;
  std::string ready_;
};

}  // namespace quern

#endif  // QUERN_SERVE_ANSWER_TEXT_H_
