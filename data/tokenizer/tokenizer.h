// Text to token ids and back: BPE (byte-level, or SentencePiece's), symbols by code point ("char") and bytes ("byte").
//
// A Tokenizer is read from Hugging Face's tokenizer.json (or made by the trainers in bpe_train.h and char_tokenizer.h),
// never changes afterwards, may be used by any number of threads at once, and is cheap to copy: copies share.
//
// Encode takes any bytes, NUL and invalid UTF-8 included. With the tokenizers trained here, and any other without a
// normaliser, Decode(Encode(text)) is `text`, byte for byte; for valid UTF-8 the ids are those of the `tokenizers`
// library. A byte that is not part of valid UTF-8 counts as a symbol (neither letter, number nor space) by itself.
#ifndef QUERN_DATA_TOKENIZER_TOKENIZER_H_
#define QUERN_DATA_TOKENIZER_TOKENIZER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace quern {

struct TokenizerParts;  // tokenizer_parts.h: what a file says

enum class TokenizerKind { kBpe, kChar, kByte };
std::string_view Name(TokenizerKind kind);  // "bpe", "char", "byte"

struct EncodeOptions {
  bool add_bos = false;        // begin with bos_id(); InvalidArgument where the tokenizer has none
  bool add_special = false;    // add what the tokenizer's post-processor adds (never a second BOS)
  bool parse_special = false;  // special tokens written out in the text become their ids; else they are plain text
  bool continues = false;      // text stands before: no space is put in front, where texts begin with one of their own
};

// A token that is matched in the text before anything else (HF's `added_tokens`). Tokens that are not `special` are
// always matched.
struct AddedToken {
  int32_t id = 0;
  std::string content;
  bool special = false;
  bool single_word = false;  // only where no word character touches it
  bool lstrip = false;       // takes the whitespace before it along
  bool rstrip = false;       // ... after it
  bool normalized = false;   // matched in the normalised text
};

struct LoadOptions {
  // How text is cut into pieces, for files that do not say (tiktoken ranks): "gpt2", "cl100k", "o200k", "llama3" or
  // "qwen2". Never guessed; InvalidArgument where it is needed and missing, or given and at odds with the file.
  std::string pattern;
};

class Tokenizer {
 public:
  // `path`: a tokenizer.json, a folder that holds one, a tokenizer file of llama2.c, or tiktoken ranks (lines of
  // "BASE64 RANK", with options.pattern). BOS and EOS come from tokenizer_config.json or config.json in the same
  // folder, else from the names that are usual for them. Errors: those of ReadFile; InvalidArgument, naming what was
  // found, for a file that is malformed or asks for something that is not supported (another model, normaliser or
  // pre-tokeniser).
  static absl::StatusOr<Tokenizer> Load(const std::string& path, const LoadOptions& options = {});
  // `json` is the text of a tokenizer.json; `what` names it in errors.
  static absl::StatusOr<Tokenizer> FromJson(std::string_view json, std::string_view what = "tokenizer.json");
  // 256 ids: each byte is its own.
  static Tokenizer Bytes();
  // For the readers and trainers of this package. `parts.json` is written where it is empty.
  static Tokenizer FromParts(TokenizerParts parts);

  // Ids of `text`; long texts are cut at safe places and encoded by the current thread pool. InvalidArgument where
  // `text` holds a symbol that the vocabulary lacks and there is no unknown-token (only with `char`, or a BPE
  // vocabulary without all 256 bytes); the message names symbol and byte offset.
  absl::StatusOr<std::vector<int32_t>> Encode(std::string_view text, const EncodeOptions& options = {}) const;

  // The same ids in pieces, in order, for texts whose ids memory should not hold at once. Stops at the first error, its
  // own or `take`'s. Not from within ParallelFor.
  absl::Status EncodePieces(std::string_view text, const EncodeOptions& options,
                            const std::function<absl::Status(std::span<const int32_t> ids)>& take) const;

  // The tokens' bytes, one after another, special tokens included; half characters stay half. Where encoding puts a
  // space before the text (drops_first_space), one at the start of the first token is taken away again; behind BOS it
  // stays, as in Hugging Face. InvalidArgument for an id without a token.
  absl::StatusOr<std::string> Decode(std::span<const int32_t> ids) const;
  // "" for an id without a token (a model's padded vocabulary has such).
  std::string_view TokenBytes(int32_t id) const;
  // The id whose bytes are exactly `bytes`; added tokens first.
  std::optional<int32_t> TokenId(std::string_view bytes) const;
  bool HasToken(int32_t id) const;

  TokenizerKind kind() const;
  // One more than the greatest id, specials included.
  int64_t vocab_size() const;
  std::optional<int32_t> bos_id() const;
  std::optional<int32_t> eos_id() const;
  // Whether texts begin with BOS by the tokenizer's own account: its post-processor or `add_bos_token` says so.
  bool adds_bos() const;
  // Whether a space at the start of a text's first token is no part of the text: Encode put it there, as SentencePiece
  // does.
  bool drops_first_space() const;
  const std::vector<AddedToken>& added_tokens() const;  // by id
  bool IsSpecial(int32_t id) const;
  int64_t merge_count() const;
  // How text is cut before merging: "gpt2", "llama3", ...; "" where it is not cut (byte, SentencePiece's BPE) or cut by
  // code point (char).
  std::string_view pattern() const;

  // The tokenizer.json that this tokenizer was read from, or would be read from; ends with a newline.
  const std::string& json() const;
  // SHA-256 of json().
  const std::string& sha256() const;
  // Writes json() to `path`, atomically.
  absl::Status Save(const std::string& path) const;

 private:
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  absl::StatusOr<std::vector<int32_t>> FirstIds(const EncodeOptions& options) const;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_TOKENIZER_H_
