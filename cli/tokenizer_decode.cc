// quern tokenizer decode
#include "base/json.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/ids.h"
#include "cli/output.h"
#include "data/tokenizer/tokenizer.h"

namespace quern::cli {
namespace {

class TokenizerDecodeCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.Add("tokenizer", &tokenizer_, "P", "a tokenizer.json, a model folder, tok512.bin, or tiktoken ranks")
        .Required();
    flags.Add("jsonl", &jsonl_, "", "print one JSON string a line, one per array");
    flags.Add("pattern", &pattern_, "NAME", "how tiktoken ranks cut text")
        .Choices({"gpt2", "cl100k", "o200k", "llama3", "qwen2"});
  }

  absl::StatusOr<int> Run(const GlobalFlags&, const Flags&) override {
    ASSIGN_OR_RETURN(const Tokenizer tokenizer, Tokenizer::Load(tokenizer_, {.pattern = pattern_}));
    ASSIGN_OR_RETURN(const std::string input, ReadStdin());
    std::string out;
    RETURN_IF_ERROR(ParseIdArrays(input, "standard input", [&](std::vector<int32_t> ids) -> absl::Status {
      ASSIGN_OR_RETURN(const std::string text, tokenizer.Decode(ids));
      out += jsonl_ ? WriteJsonLine(text) + "\n" : text;
      return absl::OkStatus();
    }));
    RETURN_IF_ERROR(Print(out));
    return kDone;
  }

 private:
  std::string tokenizer_, pattern_;
  bool jsonl_ = false;
};

}  // namespace

extern const Verb kTokenizerDecode;
const Verb kTokenizerDecode = {
    .name = "tokenizer decode",
    .summary = "token ids on stdin to text",
    .usage = "--tokenizer P [flags] < IDS",
    .details = R"(Reads JSON arrays of ids and prints their exact bytes one after another, nothing added.)",
    .examples = R"(echo '[464, 3726]' | quern tokenizer decode --tokenizer artifacts/book
quern tokenizer encode --tokenizer P < a.txt | quern tokenizer decode --tokenizer P | cmp - a.txt)",
    .make = Make<TokenizerDecodeCommand>,
};

}  // namespace quern::cli
