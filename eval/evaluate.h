// `quern eval`: how good a model, or a file of predictions, is; written as a report that `quern gate` judges.
//
// The report (schema "quern/eval"):
//   metrics      loss, perplexity, word_perplexity, byte_perplexity, bits_per_byte (eval/perplexity.h)
//                rouge1, rouge2, rougeL, rougeLsum {precision, recall, fmeasure} (eval/rouge.h), means over the records
//                speed {prefill_tokens_per_second, decode_tokens_per_second, time_to_first_token} (eval/speed.h)
//   counts       tokens, words, bytes; rouge_records, truncated_prompts
//   units        for metrics that `quern compare` tests: their values over parts of what was measured, in order, whose
//                mean is the metric: bits_per_byte (stretches of the text), rouge1 ... (fmeasure, groups of records)
//   sum_logprob  nats, over the whole test file
//   settings     how it was measured: text {mode, context, stride, first_token}, rouge {stemmer, max_new_tokens},
//                speed {prompt_tokens, new_tokens, samples, engine}
//   inputs       model (the weights file), config, tokenizer, shards; test, prompts, predictions, references: entries
//                {path, sha256, bytes} as base/lineage.h defines them
// Numbers are written in full; one that is not finite is null. No timestamps. Rates only where `speed` asked for them.
//
// What earlier evaluations of the same weights, config and tokenizer wrote to the same file is kept where this one has
// nothing to say; what others wrote is dropped.
#ifndef QUERN_EVAL_EVALUATE_H_
#define QUERN_EVAL_EVALUATE_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/json.h"
#include "eval/perplexity_mode.h"
#include "eval/stemmer.h"
#include "nn/decode/decoder.h"

namespace quern {

struct EvalOptions {
  std::string model_name;  // a model folder; empty only with predictions_file

  std::string test_file;  // log-likelihood of this text
  PerplexityMode mode = PerplexityMode::kToken;
  int64_t stride = 0;   // tokens, kStrided; 0: half the context
  int64_t context = 0;  // tokens that the model reads at most; 0: all its positions, but 4096 at most

  // ROUGE of predictions against references, record by record: the lines of a text file, or {"text": ...} a line in
  // a .jsonl. Predictions are read, or made greedily from prompts by the model.
  std::string prompts_file, predictions_file, references_file;
  Stemmer stemmer = Stemmer::kNone;
  int32_t max_new_tokens = 128;  // per prompt

  bool speed = false;

  std::string output_file;  // default M/quern/eval.json; without model_name: the report is only returned
};

// What is wrong with the options by themselves (nothing to evaluate, two that exclude each other, a stride without
// kStrided): InvalidArgument naming the flags. The command line turns this into a usage error.
absl::Status CheckEvalOptions(const EvalOptions& options);

// The report as written, merged. `probe` is the engine that `speed` is measured on; without one, nn/decode's Generate.
// Shows progress. Errors: those of CheckEvalOptions, of the files and of the model folder; InvalidArgument: an empty
// test file, text that the tokenizer cannot encode, a tokenizer that does not belong to the model, predictions and
// references that differ in number, an output that is an input or a folder; Cancelled after an interrupt. Then nothing
// is written.
absl::StatusOr<Json> Evaluate(const EvalOptions& options, const SpeedProbe& probe = {});

}  // namespace quern

#endif  // QUERN_EVAL_EVALUATE_H_
