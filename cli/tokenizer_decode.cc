// quern tokenizer decode
#include "base/json.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/ids.h"
#include "cli/output.h"
#include "cli/tokenizer_flags.h"
#include "data/tokenizer/tokenizer.h"

namespace quern::cli {
namespace {

class TokenizerDecodeCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    tokenizer_.Declare(flags);
    flags.Add("jsonl", &jsonl_, "", "print one JSON string a line, one per array");
  }

  absl::StatusOr<int> Run(const GlobalFlags&, const Flags&) override {
    ASSIGN_OR_RETURN(const Tokenizer tokenizer, tokenizer_.Load());
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
  TokenizerFlags tokenizer_;
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
