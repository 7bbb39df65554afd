// Ids to text, token by token: what a server sends while it generates.
#ifndef QUERN_DATA_TOKENIZER_STREAM_DECODER_H_
#define QUERN_DATA_TOKENIZER_STREAM_DECODER_H_

#include <cstdint>
#include <string>

#include "data/tokenizer/tokenizer.h"

namespace quern {

// The strings that Push and Finish return, one after another, are the UTF-8 text of all the ids: Push holds back the
// bytes of a character that is not complete yet. Bytes that cannot become valid UTF-8 come out as U+FFFD, one for each
// maximal subpart of a character (Unicode 15.0, section 3.9), so that the text is always valid UTF-8.
class StreamDecoder {
 public:
  struct Options {
    bool skip_special = true;  // special tokens give no text
    bool continues = false;    // text stands before the first id, so that a space at its start is part of the text
  };

  explicit StreamDecoder(Tokenizer tokenizer) : StreamDecoder(std::move(tokenizer), Options{}) {}
  StreamDecoder(Tokenizer tokenizer, Options options) : tokenizer_(std::move(tokenizer)), options_(options) {}

  // Text that `id` completes, possibly "". An id without a token gives no text.
  std::string Push(int32_t id);
  // What is left of an incomplete character (U+FFFD), or "". The decoder is then as new.
  std::string Finish();

 private:
  Tokenizer tokenizer_;
  Options options_;
  bool begun_ = false;  // a token that is not special has come
  std::string held_;    // at most three bytes: the beginning of a character
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_STREAM_DECODER_H_
