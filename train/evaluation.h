// Validation loss over fixed windows, the same at every step of a run.
#ifndef QUERN_TRAIN_EVALUATION_H_
#define QUERN_TRAIN_EVALUATION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "data/token_shard.h"
#include "nn/language_model.h"

namespace quern {

class Evaluation {
 public:
  // Of the text's windows, `batches * batch_size` spread evenly over it; all where there are fewer, or `batches` is 0.
  Evaluation(std::shared_ptr<const TokenShard> shard, int64_t block, int64_t batch_size, int64_t batches);

  // Nats per token.
  double Loss(LanguageModel& model) const;
  int64_t windows() const { return static_cast<int64_t>(windows_.size()); }

 private:
  std::shared_ptr<const TokenShard> shard_;
  int64_t block_, batch_size_;
  std::vector<int64_t> windows_;
};

}  // namespace quern

#endif  // QUERN_TRAIN_EVALUATION_H_
