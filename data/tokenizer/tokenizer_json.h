// tokenizer.json, the format of Hugging Face's `tokenizers` library.
//
// Read: model BPE with byte_fallback, in the one form that Hugging Face's converter gives Llama 1 and 2
// (sentencepiece_bpe.h). Model BPE over bytes (pre-tokeniser ByteLevel, alone or after a Split by one of the patterns
// of split_pattern.h; decoder ByteLevel; normaliser none or NFC; `ignore_merges`, `unk_token`, `fuse_unk`), and model
// WordLevel over single characters (Split by [\s\S], decoder Fuse). Merges are pairs or "a b" strings. Post-processors:
// ByteLevel, TemplateProcessing (`single`), RobertaProcessing, BertProcessing, and Sequences of them. `truncation` and
// `padding` are a matter of training batches and are not applied. Anything else is refused, and the message says what
// was found: ids that are only nearly right are worse than none.
//
// Hostile files: sizes are bounded by the file, ids by the number of tokens (a million gaps at most), nothing recurses.
#ifndef QUERN_DATA_TOKENIZER_TOKENIZER_JSON_H_
#define QUERN_DATA_TOKENIZER_TOKENIZER_JSON_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "data/tokenizer/tokenizer_parts.h"

namespace quern {

// `what` names the source in errors. `json` of the result is left empty.
absl::StatusOr<TokenizerParts> ReadTokenizerJson(std::string_view json, std::string_view what);

// What ReadTokenizerJson gives the same parts for, and `tokenizers` the same ids.
std::string WriteTokenizerJson(const TokenizerParts& parts);

namespace tokenizer_json_internal {

// The model's part: kind, tokens, merges, ignore_merges, fuse_unk, unk_id.
absl::Status ReadModel(const Json& model, const std::string& what, TokenizerParts* parts);

}  // namespace tokenizer_json_internal
}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_TOKENIZER_JSON_H_
