// The flags of every `quern tokenizer` verb that reads a tokenizer.
#ifndef QUERN_CLI_TOKENIZER_FLAGS_H_
#define QUERN_CLI_TOKENIZER_FLAGS_H_

#include <string>

#include "absl/status/statusor.h"
#include "cli/flags.h"
#include "data/tokenizer/tokenizer.h"

namespace quern::cli {

class TokenizerFlags {
 public:
  void Declare(Flags& flags) {
    flags.Add("tokenizer", &path_, "P", "a tokenizer.json, a model folder, tok512.bin, or tiktoken ranks").Required();
    flags.Add("pattern", &options_.pattern, "NAME", "how tiktoken ranks cut text")
        .Choices({"gpt2", "cl100k", "o200k", "llama3", "qwen2"});
  }
  absl::StatusOr<Tokenizer> Load() const { return Tokenizer::Load(path_, options_); }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
  LoadOptions options_;
};

}  // namespace quern::cli

#endif  // QUERN_CLI_TOKENIZER_FLAGS_H_
