// quern tokenizer inspect
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/tokenizer_flags.h"
#include "data/tokenizer/tokenizer.h"

namespace quern::cli {
namespace {

Json Special(const Tokenizer& tokenizer, std::optional<int32_t> id) {
  if (!id.has_value()) return nullptr;
  return {{"id", *id}, {"token", std::string(tokenizer.TokenBytes(*id))}};
}

std::string SpecialText(const Tokenizer& tokenizer, std::optional<int32_t> id) {
  return id.has_value() ? absl::StrCat(*id, " ", std::string(tokenizer.TokenBytes(*id))) : "none";
}

std::string AsText(const Tokenizer& tokenizer) {
  std::string out;
  const auto row = [&out](std::string_view name, const std::string& value) {
    absl::StrAppendFormat(&out, "%-12s %s\n", std::string(name), value);
  };
  row("type", std::string(Name(tokenizer.kind())));
  row("vocab_size", FormatCount(tokenizer.vocab_size()));
  row("merges", FormatCount(tokenizer.merge_count()));
  row("pattern", tokenizer.pattern().empty() ? "none" : std::string(tokenizer.pattern()));
  row("bos", SpecialText(tokenizer, tokenizer.bos_id()));
  row("eos", SpecialText(tokenizer, tokenizer.eos_id()));
  row("adds_bos", tokenizer.adds_bos() ? "yes" : "no");
  row("sha256", tokenizer.sha256());
  for (const AddedToken& token : tokenizer.added_tokens()) {
    absl::StrAppendFormat(&out, "%-12s %d %s%s\n", "added", token.id, token.content, token.special ? " (special)" : "");
  }
  return out;
}

Json AsJson(const Tokenizer& tokenizer) {
  Json added = Json::array();
  for (const AddedToken& token : tokenizer.added_tokens()) {
    added.push_back({{"id", token.id}, {"token", token.content}, {"special", token.special}});
  }
  return {{"type", std::string(Name(tokenizer.kind()))},
          {"vocab_size", tokenizer.vocab_size()},
          {"merges", tokenizer.merge_count()},
          {"pattern", std::string(tokenizer.pattern())},
          {"bos", Special(tokenizer, tokenizer.bos_id())},
          {"eos", Special(tokenizer, tokenizer.eos_id())},
          {"adds_bos", tokenizer.adds_bos()},
          {"added_tokens", added},
          {"sha256", tokenizer.sha256()}};
}

class TokenizerInspectCommand : public Command {
 public:
  void Declare(Flags& flags) override { tokenizer_.Declare(flags); }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    ASSIGN_OR_RETURN(const Tokenizer tokenizer, tokenizer_.Load());
    RETURN_IF_ERROR(Print(global.json ? WriteJson(AsJson(tokenizer)) : AsText(tokenizer)));
    return kDone;
  }

 private:
  TokenizerFlags tokenizer_;
};

}  // namespace

extern const Verb kTokenizerInspect;
const Verb kTokenizerInspect = {
    .name = "tokenizer inspect",
    .summary = "what a tokenizer file says",
    .usage = "--tokenizer P [--json]",
    .details = "",
    .examples = R"(quern tokenizer inspect --tokenizer artifacts/book)",
    .make = Make<TokenizerInspectCommand>,
};

}  // namespace quern::cli
