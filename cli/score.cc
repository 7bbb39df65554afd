// quern score
#include "nn/score/score.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/ids.h"
#include "cli/model_text.h"
#include "cli/npy_writer.h"
#include "cli/output.h"

namespace quern::cli {
namespace {

using Ids = std::vector<int32_t>;

class ScoreCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.Add("model_name", &model_name_, "M", "a model folder").Required();
    flags.Add("ids", &ids_, "1,2,3", "one sequence of token ids");
    flags.Add("ids_file", &ids_file_, "J", "JSON lines, an array of ids each");
    flags.Add("text_file", &text_file_, "F",
              "a text, encoded as the tokenizer says; one sequence, in windows where the model has fewer positions");
    flags.Add("logits_file", &logits_file_, "O.npy", "write the logits there: f32 [tokens, vocabulary]");
    flags.Add("path", &path_, "PATH", "which way through the model; the same bits in f32")
        .Choices({"train", "cached", "engine"});
    flags.Add("batch_size", &options_.batch_size, "N", "sequences together (engine)").Range(1, 1 << 16);
    flags.Add("chunk", &options_.chunk, "N", "tokens read at once (cached, engine)").Range(1, 1 << 20);
  }

  absl::StatusOr<int> Run(const GlobalFlags&, const Flags&) override {
    if (!ids_.empty() + !ids_file_.empty() + !text_file_.empty() != 1) {
      return UsageError("give one of --ids 1,2,3, --ids_file J and --text_file F");
    }
    std::vector<Ids> sequences;
    if (!ids_.empty()) {
      ASSIGN_OR_RETURN(sequences.emplace_back(), ParseIdList(ids_, "--ids"));
    }
    ASSIGN_OR_RETURN(const ModelAndTokenizer loaded, LoadModelAndTokenizer(model_name_, !text_file_.empty()));
    RETURN_IF_ERROR(ReadSequences(loaded, &sequences));
    options_.path = path_ == "train" ? ScorePath::kTrain : path_ == "cached" ? ScorePath::kCached : ScorePath::kEngine;
    ASSIGN_OR_RETURN(const std::vector<SequenceScore> scores, ScoreAll(*loaded.model, sequences));
    if (Interrupted()) return absl::CancelledError("interrupted; nothing was written");
    for (size_t i = 0; i < sequences.size(); ++i) {
      RETURN_IF_ERROR(Print(WriteJsonLine(Row(sequences[i], scores[i], loaded.tokenizer)) + "\n"));
    }
    return kDone;
  }

 private:
  absl::Status ReadSequences(const ModelAndTokenizer& loaded, std::vector<Ids>* sequences) {
    if (!ids_file_.empty()) {
      ASSIGN_OR_RETURN(const std::string lines, ReadFile(ids_file_));
      RETURN_IF_ERROR(ParseIdArrays(lines, ids_file_, [&](Ids ids) {
        sequences->push_back(std::move(ids));
        return absl::OkStatus();
      }));
      if (sequences->empty()) return absl::InvalidArgumentError(ids_file_ + ": empty; give an array of ids a line");
    }
    if (text_file_.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(text_, ReadFile(text_file_));
    if (text_.empty()) return absl::InvalidArgumentError(text_file_ + ": empty; give text to score");
    ASSIGN_OR_RETURN(Ids ids, EncodePrompt(*loaded.tokenizer, text_));
    const int64_t positions = loaded.model->max_positions();
    if (static_cast<int64_t>(ids.size()) > positions) {
      options_.window = positions;
      LOG(INFO) << text_file_ << " is " << ids.size() << " tokens long; scored in windows of " << positions;
    }
    sequences->push_back(std::move(ids));
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<SequenceScore>> ScoreAll(LanguageModel& model, const std::vector<Ids>& sequences) const {
    std::vector<int64_t> first_rows = {0};
    for (const Ids& ids : sequences) first_rows.push_back(first_rows.back() + static_cast<int64_t>(ids.size()));
    Progress progress("score", first_rows.back(), "tokens");
    int64_t done = 0;
    if (logits_file_.empty()) {
      return Score(model, sequences, options_,
                   [&](int64_t, int64_t, const Tensor& logits) { progress.Update(done += logits.dim(0)); });
    }
    ASSIGN_OR_RETURN(NpyWriter npy, NpyWriter::Create(logits_file_, first_rows.back(), model.vocab_size()));
    absl::Status written;
    ASSIGN_OR_RETURN(std::vector<SequenceScore> scores,
                     Score(model, sequences, options_, [&](int64_t s, int64_t first_row, const Tensor& logits) {
                       progress.Update(done += logits.dim(0));
                       if (!written.ok()) return;
                       const std::span<const float> values(logits.data<float>(),
                                                           static_cast<size_t>(logits.elements()));
                       written = npy.Put(first_rows[static_cast<size_t>(s)] + first_row, values);
                     }));
    RETURN_IF_ERROR(written);
    RETURN_IF_ERROR(npy.Commit());
    return scores;
  }

  // {ids, logprobs: [null, ...], sum_logprob, bytes}; bytes: of the text, null without a tokenizer.
  Json Row(const Ids& ids, const SequenceScore& score, const std::optional<Tokenizer>& tokenizer) const {
    Json logprobs = Json::array();
    for (float logprob : score.logprobs) logprobs.push_back(std::isnan(logprob) ? Json() : Json(logprob));
    Json bytes;
    if (!text_file_.empty()) {
      bytes = text_.size();
    } else if (tokenizer.has_value()) {
      Ids shown;
      std::copy_if(ids.begin(), ids.end(), std::back_inserter(shown),
                   [&](int32_t id) { return tokenizer->HasToken(id) && !tokenizer->IsSpecial(id); });
      const absl::StatusOr<std::string> text = tokenizer->Decode(shown);
      if (text.ok()) bytes = text->size();
    }
    return {{"ids", ids}, {"logprobs", logprobs}, {"sum_logprob", score.sum}, {"bytes", bytes}};
  }

  std::string model_name_, ids_, ids_file_, text_file_, logits_file_, path_ = "train", text_;
  ScoreOptions options_;
};

}  // namespace

extern const Verb kScore;
const Verb kScore = {
    .name = "score",
    .summary = "log-likelihoods of token sequences",
    .usage = "--model_name M (--ids 1,2,3 | --ids_file J | --text_file F) [flags]",
    .details = R"(Prints one JSON line per sequence, in order: {ids, logprobs, sum_logprob, bytes}, in nats. The first
token has no log-probability (null). Row t of the .npy holds the logits after reading token t. Ids need
no tokenizer in the folder. A text longer than the model's context is read in windows, as by `quern eval`.)",
    .examples = R"(quern score --model_name artifacts/book --ids 1,2,3
quern score --model_name gpt2 --text_file verse.txt --logits_file verse.npy
quern score --model_name artifacts/book --ids_file ids.jsonl --path engine --batch_size 4 --chunk 16)",
    .make = Make<ScoreCommand>,
};

}  // namespace quern::cli
