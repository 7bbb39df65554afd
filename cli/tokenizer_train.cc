// quern tokenizer train
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/json.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/training_text.h"
#include "data/tokenizer/bpe_train.h"
#include "data/tokenizer/char_tokenizer.h"

namespace quern::cli {
namespace {

constexpr int64_t kBytes = 256;

class TokenizerTrainCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.Add("input_file", &input_file_, "F", "text, or JSON lines with \"text\"").Required();
    flags.Add("output_file", &output_file_, "P", "tokenizer.json to write").Required();
    flags.Add("vocab_size", &vocab_size_, "N", "number of ids, specials included; bpe needs it")
        .Range(1, 1 << 24)
        .Default("");
    flags.Add("type", &type_, "TYPE", "what a token is").Choices({"bpe", "char", "byte"});
    flags.Add("special_token", &special_, "T", "special tokens of bpe; the first begins and ends texts");
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags& flags) override {
    RETURN_IF_ERROR(Check(flags));
    std::error_code ignored;
    if (std::filesystem::equivalent(input_file_, output_file_, ignored)) {
      return UsageError(absl::StrCat("--output_file ", output_file_, " is the input, which is only read"));
    }
    ASSIGN_OR_RETURN(const std::string text, ReadTrainingText(input_file_, type_ == "bpe" ? special_.front() : ""));
    ASSIGN_OR_RETURN(const Tokenizer tokenizer, Train(text));
    if (flags.Given("vocab_size") && tokenizer.vocab_size() > vocab_size_) {
      return absl::InvalidArgumentError(absl::StrCat(input_file_, " uses ", tokenizer.vocab_size(),
                                                     " symbols, more than --vocab_size ", vocab_size_,
                                                     "; leave --vocab_size out or use --type bpe"));
    }
    RETURN_IF_ERROR(MakeFolders(Dirname(output_file_)));
    RETURN_IF_ERROR(tokenizer.Save(output_file_));
    RETURN_IF_ERROR(Print(global.json ? AsJson(tokenizer, text) : AsText(tokenizer, text)));
    return kDone;
  }

 private:
  absl::Status Check(const Flags& flags) const {
    const int64_t least = type_ == "bpe"    ? kBytes + static_cast<int64_t>(special_.size())
                          : type_ == "byte" ? kBytes
                                            : 1;
    if (type_ == "bpe" && !flags.Given("vocab_size"))
      return UsageError("--vocab_size N is missing: 4096, for instance");
    if (!flags.Given("vocab_size") || vocab_size_ >= least) return absl::OkStatus();
    return UsageError(absl::StrCat("--vocab_size is at least ", least, " for ", type_,
                                   type_ == "bpe" ? ": the 256 bytes and the special tokens" : ": every byte", "; got ",
                                   vocab_size_));
  }

  absl::StatusOr<Tokenizer> Train(const std::string& text) const {
    if (type_ == "byte") return Tokenizer::Bytes();
    absl::StatusOr<Tokenizer> trained =
        type_ == "char" ? TrainChar(text) : TrainBpe(text, {.vocab_size = vocab_size_, .special_tokens = special_});
    if (trained.ok() || !absl::IsInvalidArgument(trained.status())) return trained;
    return absl::InvalidArgumentError(absl::StrCat(input_file_, ": ", trained.status().message()));
  }

  static double BytesPerToken(const Tokenizer& tokenizer, const std::string& text) {
    const std::string_view sample = std::string_view(text).substr(0, 1 << 20);
    const absl::StatusOr<std::vector<int32_t>> ids = tokenizer.Encode(sample);
    return ids.ok() && !ids->empty() ? static_cast<double>(sample.size()) / static_cast<double>(ids->size()) : 1;
  }

  std::string AsText(const Tokenizer& tokenizer, const std::string& text) const {
    return absl::StrFormat("%s: %s, %s ids, %.2f bytes per token on the training text\n", output_file_, type_,
                           FormatCount(tokenizer.vocab_size()), BytesPerToken(tokenizer, text));
  }

  std::string AsJson(const Tokenizer& tokenizer, const std::string& text) const {
    return WriteJson({{"output_file", output_file_},
                      {"type", type_},
                      {"vocab_size", tokenizer.vocab_size()},
                      {"merges", tokenizer.merge_count()},
                      {"bytes_per_token", BytesPerToken(tokenizer, text)},
                      {"sha256", tokenizer.sha256()}});
  }

  std::string input_file_, output_file_, type_ = "bpe";
  int64_t vocab_size_ = 0;
  std::vector<std::string> special_ = {"<|endoftext|>"};
};

}  // namespace

extern const Verb kTokenizerTrain;
const Verb kTokenizerTrain = {
    .name = "tokenizer train",
    .summary = "learn a vocabulary from text",
    .usage = "--input_file F --vocab_size N --output_file P [flags]",
    .details =
        R"(Writes a tokenizer.json in Hugging Face's format. bpe: byte-level pairs, cut by GPT-2's pattern, encodes
any bytes; char: one symbol per code point of the text; byte: 256 ids. The same text gives the same
file, at any number of threads.)",
    .examples =
        R"(quern tokenizer train --input_file data/book/train.txt --vocab_size 4096 --output_file data/book/tokenizer.json
quern tokenizer train --input_file shakespeare.txt --type char --output_file char.json)",
    .make = Make<TokenizerTrainCommand>,
};

}  // namespace quern::cli
