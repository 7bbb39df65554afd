// llama2.c's checkpoints as models of ours.
#ifndef QUERN_NN_IMPORT_LLAMA2C_H_
#define QUERN_NN_IMPORT_LLAMA2C_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "nn/language_model.h"

namespace quern {

// The Llama in the file at `path` (tensor/io/llama2c.h), as SaveModel writes it into a folder that Hugging Face opens:
// the rows of q and k are put into the order of its rotary pairs, (i, i + D/2) for (2i, 2i + 1). What run.c has fixed
// and the file does not say: rms_norm_eps 1e-5, rope_theta 10000; BOS is 1, and a text ends with EOS (2) or, as run.c
// has it, with the BOS of the next one.
//
// Errors: those of Llama2cFile::Open; InvalidArgument for sizes that no model of ours has; ResourceExhausted where the
// weights do not fit in memory.
absl::StatusOr<std::unique_ptr<LanguageModel>> ImportLlama2c(const std::string& path);

}  // namespace quern

#endif  // QUERN_NN_IMPORT_LLAMA2C_H_
