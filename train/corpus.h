// A text file as training sees it: checked, then token ids in a shard that is kept beside the run.
//
// A .jsonl (or .ndjson) file holds one document a line, {"text": ...}; each is encoded by itself and followed by the
// tokenizer's end-of-text id, or a newline's ids where it has none. Any other file is one document, byte for byte.
#ifndef QUERN_TRAIN_CORPUS_H_
#define QUERN_TRAIN_CORPUS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/file.h"
#include "data/token_shard.h"
#include "data/tokenizer/tokenizer.h"

namespace quern {

struct TextFile {
  std::string path;
  std::shared_ptr<const MappedFile> file;
  bool json_lines = false;
  std::string sha256;  // of the file
};

// `flag` is how the user named it ("--train_file"). InvalidArgument for an empty file, and with its offset for a NUL
// byte: text has none, whatever the file's name says.
absl::StatusOr<TextFile> OpenText(const std::string& path, const std::string& flag);

// Calls `take` with each document. Stops at its first error.
absl::Status ForEachDocument(const TextFile& text, const std::function<absl::Status(std::string_view)>& take);

// The documents, `separator` between them. A plain text is not copied: the view is the mapped file's; else `buffer`'s.
absl::StatusOr<std::string_view> WholeText(const TextFile& text, std::string_view separator, std::string* buffer);

struct TextTokens {
  std::shared_ptr<const TokenShard> shard;
  uint64_t bytes = 0;  // of the documents
};

// Ids of the text, from FOLDER/ROLE.bin where FOLDER/ROLE.json says that it holds these (and its digest agrees), else
// encoded and written there, a piece at a time. Cancelled after an interrupt.
absl::StatusOr<TextTokens> TokensOf(const TextFile& text, const Tokenizer& tokenizer, const std::string& folder,
                                    const std::string& role);

}  // namespace quern

#endif  // QUERN_TRAIN_CORPUS_H_
