// The inside of a Tokenizer, shared by tokenizer.cc and encode.cc.
#ifndef QUERN_DATA_TOKENIZER_TOKENIZER_IMPL_H_
#define QUERN_DATA_TOKENIZER_TOKENIZER_IMPL_H_

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "data/tokenizer/added_token_matcher.h"
#include "data/tokenizer/bpe.h"
#include "data/tokenizer/tokenizer.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {

struct Tokenizer::Impl {
  // A part of a text that is encoded by itself, or an added token.
  struct Work {
    std::string_view text;
    int32_t id = -1;
    bool add_space = false;
  };
  // A text as work, in order.
  struct Plan {
    std::vector<Work> work;
    std::deque<std::string> normalized;  // what `work` points to and the text did not hold
  };

  explicit Impl(TokenizerParts given);
  Impl(const Impl&) = delete;

  // What normalisation makes of a part between added tokens; nothing where that is the part itself.
  std::optional<std::string> Normalize(std::string_view part, bool continues = false) const;
  // Added tokens out of `text`, normalisation, safe parts.
  Plan MakePlan(std::string_view text, const EncodeOptions& options) const;
  // The ids of one piece of work. kNoError or the offset in it of what has no token.
  size_t Encode(const Work& work, std::vector<int32_t>* out) const;

  TokenizerParts parts;
  std::string sha256;
  std::vector<bool> special;      // by id
  std::optional<Bpe> bpe;         // kBpe
  std::vector<int32_t> char_ids;  // kChar: by code point; -1 where there is none
  // Added tokens to look for in the text as given and in the normalised text: [parse_special].
  AddedTokenMatcher raw[2], normalized[2];
  std::vector<AddedToken> normalized_tokens;  // those of `normalized`, their contents normalised

 private:
  size_t EncodeChars(std::string_view text, std::vector<int32_t>* out) const;
  size_t EncodeBpe(std::string_view text, std::vector<int32_t>* out) const;

  // Working memory of threads that are not encoding at the moment.
  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<Bpe::Scratch>> idle_;
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_TOKENIZER_IMPL_H_
