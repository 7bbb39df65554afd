// StepBatch: one forward call over pieces of many cached sequences, put together row by row.
#ifndef QUERN_NN_DECODE_STEP_BATCH_H_
#define QUERN_NN_DECODE_STEP_BATCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "nn/decode/kv_cache.h"
#include "nn/language_model.h"

namespace quern {

enum class WantLogits { kNone, kLastRow, kAllRows };

class StepBatch {
 public:
  explicit StepBatch(KvCache& cache) { view_.layers = &cache.layers(); }

  // Tokens of one sequence that follow the `past` that are cached; `blocks` hold past + tokens positions at least.
  void Add(std::span<const int32_t> tokens, int32_t past, std::span<const int32_t> blocks, WantLogits want);

  int64_t rows() const { return static_cast<int64_t>(tokens_.size()); }
  // Runs the forward under NoGrad. Returns the wanted rows in the order added, f32 [wanted, V]; undefined when none is
  // wanted.
  Tensor Forward(LanguageModel& model);

 private:
  std::vector<int32_t> tokens_;
  KvView view_;
  Sequences sequences_;
  ForwardOptions options_;
};

}  // namespace quern

#endif  // QUERN_NN_DECODE_STEP_BATCH_H_
