// The fields that every architecture's config has, by its own names for them, read and set without knowing which
// architecture it is: so that those who start a training run need no list of models.
//
//   vocab_size, bos_token_id, eos_token_id     under these names
//   the longest context                        n_positions or max_position_embeddings
//   dropout                                    `dropout` and all that end in `_pdrop`
#ifndef QUERN_NN_MODELS_COMMON_FIELDS_H_
#define QUERN_NN_MODELS_COMMON_FIELDS_H_

#include <cstdint>
#include <optional>

#include "nn/model_config.pb.h"

namespace quern {

// Of a config that has an architecture (CHECKed in all of these).
int64_t VocabularyOf(const ModelConfig& config);
int64_t PositionsOf(const ModelConfig& config);
// Whether the config leaves the longest context open.
bool PositionsAreOpen(const ModelConfig& config);

struct CommonFields {
  int64_t vocab_size = 0, positions = 0;
  std::optional<int32_t> bos_token_id, eos_token_id;
};
// Sets those that the config leaves open.
void FillOpenFields(const CommonFields& fields, ModelConfig* config);

// Sets every dropout of the config. p in [0, 1).
void SetDropout(double p, ModelConfig* config);
// The standard deviation of fresh weights; 0 puts the default back.
void SetInitializerRange(double range, ModelConfig* config);

}  // namespace quern

#endif  // QUERN_NN_MODELS_COMMON_FIELDS_H_
