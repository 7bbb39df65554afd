// The smoke set (prepare's smoke.txt or smoke.jsonl beside the training text) as a check of a second before a long run:
// it is encoded and decoded back, read forward and backward; nothing is updated.
#ifndef QUERN_TRAIN_SMOKE_CHECK_H_
#define QUERN_TRAIN_SMOKE_CHECK_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "train/train_step.h"

namespace quern {

// The smoke set beside `train_file`, if there is one.
std::optional<std::string> FindSmokeSet(const std::string& train_file);

// InvalidArgument: the tokenizer lacks a symbol; loss or gradient is no number, so the weights to start from are
// damaged. A tokenizer that does not give the text back byte for byte is named on the log. A set of fewer than two
// tokens passes.
absl::Status CheckSmokeSet(const std::string& path, const Tokenizer& tokenizer, int64_t block, TrainStep& step);

}  // namespace quern

#endif  // QUERN_TRAIN_SMOKE_CHECK_H_
