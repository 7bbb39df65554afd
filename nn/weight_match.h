// Which tensor of a file is which parameter of a model: all disagreements at once, before a byte is allocated.
#ifndef QUERN_NN_WEIGHT_MATCH_H_
#define QUERN_NN_WEIGHT_MATCH_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "nn/language_model.h"
#include "nn/models/models.h"
#include "tensor/io/safetensors_model.h"

namespace quern {

struct MatchedWeight {
  Var parameter;
  std::string file_name;  // with or without the architecture's prefix
};

// Every parameter has its tensor, of its shape and of a dtype that converts to f32, and the file holds nothing else but
// buffers, zeros that the model does without, and a copy of a tied head. Otherwise InvalidArgument: the missing tensors
// (with the nearest unexpected name), the unexpected and the misshapen ones, or, where the file is plainly of another
// architecture, both by name.
absl::StatusOr<std::vector<MatchedWeight>> MatchWeights(LanguageModel& model, const Architecture& architecture,
                                                        const SafetensorsModel& file, const std::string& path);

}  // namespace quern

#endif  // QUERN_NN_WEIGHT_MATCH_H_
