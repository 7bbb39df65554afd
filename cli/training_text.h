// The text of a file to train a tokenizer on.
#ifndef QUERN_CLI_TRAINING_TEXT_H_
#define QUERN_CLI_TRAINING_TEXT_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace quern::cli {

// A text file as it is; of JSON lines (data/text_shape.h says how they are recognised) the "text" of each, with
// `separator` between them. InvalidArgument: an empty file, one with NUL bytes, a malformed line.
absl::StatusOr<std::string> ReadTrainingText(const std::string& path, std::string_view separator);

}  // namespace quern::cli

#endif  // QUERN_CLI_TRAINING_TEXT_H_
