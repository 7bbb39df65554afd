// Training of a byte-level BPE vocabulary (Sennrich et al., "Neural machine translation of rare words with subword
// units", 2016; on bytes: Radford et al., "Language models are unsupervised multitask learners", 2019).
//
// The text is cut by GPT-2's pattern. Ids 0..255 are the bytes; then one id for each merge, in the order made; special
// tokens are last. Each step merges the pair of neighbouring tokens that occurs most often. Among equally frequent
// pairs the one whose bytes are greatest wins: first the left tokens are compared as byte strings, then the right ones.
// Occurrences of a special token in the training text separate documents and are not counted. The result is a function
// of text and options alone: the same file at any thread count.
#ifndef QUERN_DATA_TOKENIZER_BPE_TRAIN_H_
#define QUERN_DATA_TOKENIZER_BPE_TRAIN_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"

namespace quern {

struct BpeTrainOptions {
  int64_t vocab_size = 4096;  // bytes, merges and specials; fewer where the text gives no more pairs
  std::vector<std::string> special_tokens = {"<|endoftext|>"};  // the first is BOS and EOS
  int64_t min_count = 1;                                        // pairs that occur less often are not merged
};

// InvalidArgument: vocab_size below 256 + specials or above 2^24, an empty or repeated special token, no text at all.
// Cancelled when interrupted (base/interrupt.h). Shows progress.
absl::StatusOr<Tokenizer> TrainBpe(std::string_view text, const BpeTrainOptions& options);

}  // namespace quern

#endif  // QUERN_DATA_TOKENIZER_BPE_TRAIN_H_
