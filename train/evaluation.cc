#include "train/evaluation.h"

#include <algorithm>
#include <span>
#include <utility>

#include "data/loader.h"
#include "nn/score/score.h"

namespace quern {

Evaluation::Evaluation(std::shared_ptr<const TokenShard> shard, int64_t block, int64_t batch_size, int64_t batches)
    : shard_(std::move(shard)), block_(block), batch_size_(batch_size) {
  const int64_t all = WindowCount(shard_->tokens(), block);
  const int64_t count = batches == 0 ? all : std::min(all, batches * batch_size);
  for (int64_t i = 0; i < count; ++i) windows_.push_back(static_cast<int64_t>(static_cast<__int128>(i) * all / count));
}

double Evaluation::Loss(LanguageModel& model) const {
  LossSum sum;
  std::span<const int64_t> rest = windows_;
  while (!rest.empty()) {
    std::span<const int64_t> now = rest.first(std::min(rest.size(), static_cast<size_t>(batch_size_)));
    rest = rest.subspan(now.size());
    TokenBatch batch = ReadWindows(*shard_, block_, now);
    LossSum part = EvaluateWindows(model, batch.inputs, batch.targets, block_, batch_size_);
    sum.nats += part.nats;
    sum.tokens += part.tokens;
  }
  return sum.nats / static_cast<double>(sum.tokens);
}

}  // namespace quern
