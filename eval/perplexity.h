// How well a model predicts a text: its log-likelihood, per token, word and byte.
//
//   nats               -sum of log p(token | tokens before it) over all n tokens of the text
//   loss               nats / tokens
//   perplexity         exp(loss)
//   word_perplexity    exp(nats / words)       words: stretches without white space (eval/eval_text.h)
//   byte_perplexity    exp(nats / bytes)       bytes: all of the file, line ends included
//   bits_per_byte      nats / bytes / ln 2     comparable between tokenizers, and with compressors
//
// Every token is paid for, the first one too, so that bits_per_byte is what coding the file would cost: the first token
// is conditioned on BOS where the tokenizer has one, else on EOS, else it costs ln(vocabulary). `first_token` says
// which. (Other tools leave it out; over n tokens that is about 1/n of a token's loss.)
//
// Text longer than the context is cut into windows (eval/windows.h). BOS stands before the text in kToken and kRolling,
// as in lm-evaluation-harness; with kStrided it serves for the first token alone, so that the windows are those of
// Hugging Face. Differences to the latter's program: its mean leaves out token 0 and weights each window by its number
// of labels less one; here each token weighs the same.
#ifndef QUERN_EVAL_PERPLEXITY_H_
#define QUERN_EVAL_PERPLEXITY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "eval/eval_text.h"
#include "eval/perplexity_mode.h"
#include "nn/language_model.h"

namespace quern {

struct PerplexityOptions {
  PerplexityMode mode = PerplexityMode::kToken;
  int64_t context = 0;  // tokens read at most; 0: all positions of the model, but 4096 at most
  int64_t stride = 0;   // kStrided: tokens asked for per window; 0: half the context
};

struct Perplexity {
  double nats = 0;
  int64_t tokens = 0, words = 0, bytes = 0;
  // As used.
  PerplexityMode mode = PerplexityMode::kToken;
  int64_t context = 0, stride = 0;
  std::string first_token;  // "bos", "eos", "uniform"

  // Bits per byte of equal stretches of the text, in order: at most kMostUnits (eval/units.h). A token counts where it
  // begins. Their mean is bits_per_byte(), so that two models can be compared stretch by stretch, whatever their
  // tokenizers.
  std::vector<double> stretches;

  double loss() const { return nats / static_cast<double>(tokens); }
  double perplexity() const;
  double word_perplexity() const;  // infinite for a text without words
  double byte_perplexity() const;
  double bits_per_byte() const;
};

// Shows progress. `text` is `tokenizer`'s, and has a token. InvalidArgument: a token that the model does not know; a
// context or stride out of range. ResourceExhausted: the logits of a window do not fit in memory.
// Cancelled after an interrupt. The same bits whatever the machine.
absl::StatusOr<Perplexity> MeasurePerplexity(LanguageModel& model, const Tokenizer& tokenizer, const EvalText& text,
                                             const PerplexityOptions& options);

}  // namespace quern

#endif  // QUERN_EVAL_PERPLEXITY_H_
