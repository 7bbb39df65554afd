// quern tokenizer encode
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/file.h"
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

constexpr size_t kFlushBytes = 1 << 20;

class TokenizerEncodeCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    tokenizer_.Declare(flags);
    flags.Add("lines", &lines_, "", "encode each line by itself, its newline left out");
    flags.Add("jsonl", &jsonl_, "", "read one JSON string a line");
    flags.Add("add_bos", &options_.add_bos, "", "begin with BOS");
    flags.Add("add_special", &options_.add_special, "", "add what the tokenizer's post-processor adds");
    flags.Add("parse_special", &options_.parse_special, "", "special tokens written out in the text become their ids");
    flags.Add("output_file", &output_file_, "X", "write raw little-endian ids there, without a header, instead");
    flags.Add("ids_dtype", &ids_dtype_, "T", "width of the ids in --output_file").Choices({"u16", "u32"});
  }

  absl::StatusOr<int> Run(const GlobalFlags&, const Flags&) override {
    if (lines_ && jsonl_) return UsageError("--lines and --jsonl exclude each other");
    if (options_.add_bos && options_.add_special) return UsageError("--add_bos and --add_special exclude each other");
    ASSIGN_OR_RETURN(const Tokenizer tokenizer, tokenizer_.Load());
    if (options_.add_bos && !tokenizer.bos_id().has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(tokenizer_.path(), " has no BOS token; leave --add_bos out"));
    }
    ASSIGN_OR_RETURN(const std::string text, ReadStdin());
    if (output_file_.empty()) {
      RETURN_IF_ERROR(EncodeTexts(tokenizer, text, [this](std::span<const int32_t> ids) {
        out_ += FormatIds(ids) + "\n";
        return out_.size() < kFlushBytes ? absl::OkStatus() : Flush();
      }));
      RETURN_IF_ERROR(Flush());
      return kDone;
    }
    ASSIGN_OR_RETURN(AtomicFile file, AtomicFile::Create(output_file_));
    RETURN_IF_ERROR(EncodeTexts(tokenizer, text, [&](std::span<const int32_t> ids) { return WriteRaw(ids, file); }));
    RETURN_IF_ERROR(file.Commit());
    return kDone;
  }

 private:
  template <typename Take>
  absl::Status EncodeTexts(const Tokenizer& tokenizer, std::string_view text, const Take& take) const {
    if (!lines_ && !jsonl_) {
      ASSIGN_OR_RETURN(const std::vector<int32_t> ids, tokenizer.Encode(text, options_));
      return take(ids);
    }
    for (size_t number = 1; !text.empty(); ++number) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      absl::StatusOr<std::vector<int32_t>> ids = EncodeLine(tokenizer, line);
      if (!ids.ok()) {
        return absl::Status(ids.status().code(), absl::StrCat("line ", number, ": ", ids.status().message()));
      }
      RETURN_IF_ERROR(take(*ids));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<int32_t>> EncodeLine(const Tokenizer& tokenizer, std::string_view line) const {
    if (!jsonl_) return tokenizer.Encode(line, options_);
    ASSIGN_OR_RETURN(const Json value, ParseJson(line, "standard input"));
    if (!value.is_string()) return absl::InvalidArgumentError("a JSON string is expected");
    return tokenizer.Encode(value.get_ref<const std::string&>(), options_);
  }

  absl::Status WriteRaw(std::span<const int32_t> ids, AtomicFile& file) const {
    const size_t width = ids_dtype_ == "u16" ? 2 : 4;
    std::string bytes;
    bytes.reserve(ids.size() * width);
    for (int32_t id : ids) {
      if (width == 2 && id > UINT16_MAX) {
        return UsageError(absl::StrCat("id ", id, " does not fit --ids_dtype u16; use u32"));
      }
      for (size_t i = 0; i < width; ++i) bytes += static_cast<char>(static_cast<uint32_t>(id) >> (8 * i) & 0xFF);
    }
    return file.Append(bytes);
  }

  absl::Status Flush() {
    RETURN_IF_ERROR(Print(out_));
    out_.clear();
    return absl::OkStatus();
  }

  EncodeOptions options_;
  TokenizerFlags tokenizer_;
  std::string output_file_, ids_dtype_ = "u16", out_;
  bool lines_ = false, jsonl_ = false;
};

}  // namespace

extern const Verb kTokenizerEncode;
const Verb kTokenizerEncode = {
    .name = "tokenizer encode",
    .summary = "text on stdin to token ids",
    .usage = "--tokenizer P [flags] < TEXT",
    .details =
        R"(Prints one JSON array of ids for all of stdin, or one per line. Text that looks like a special token is
plain text unless --parse_special.)",
    .examples = R"(echo 'In the beginning' | quern tokenizer encode --tokenizer data/book/tokenizer.json
quern tokenizer encode --tokenizer artifacts/book --lines < verses.txt
quern tokenizer encode --tokenizer gpt2.tiktoken --pattern gpt2 --output_file train.bin < train.txt)",
    .make = Make<TokenizerEncodeCommand>,
};

}  // namespace quern::cli
