#include "nn/decode/step_batch.h"

#include "base/log.h"

namespace quern {

void StepBatch::Add(std::span<const int32_t> tokens, int32_t past, std::span<const int32_t> blocks, WantLogits want) {
  CHECK(!tokens.empty()) << "StepBatch: a piece has tokens.";
  if (sequences_.starts.empty()) {
    sequences_.starts = {0};
    view_.block_starts = {0};
  }
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (want == WantLogits::kAllRows || (want == WantLogits::kLastRow && i + 1 == tokens.size())) {
      options_.logit_rows.push_back(static_cast<int32_t>(tokens_.size()));
    }
    tokens_.push_back(tokens[i]);
    sequences_.positions.push_back(past + static_cast<int32_t>(i));
  }
  sequences_.starts.push_back(static_cast<int32_t>(tokens_.size()));
  view_.past.push_back(past);
  view_.block_ids.insert(view_.block_ids.end(), blocks.begin(), blocks.end());
  view_.block_starts.push_back(static_cast<int32_t>(view_.block_ids.size()));
}

Tensor StepBatch::Forward(LanguageModel& model) {
  NoGrad no_grad;
  sequences_.cache = &view_;
  bool none = options_.logit_rows.empty();
  if (none) options_.logit_rows = {0};  // empty would mean all
  Tensor logits = model.Forward(Tensor::Of(tokens_, {rows()}), sequences_, options_).value();
  return none ? Tensor() : logits;
}

}  // namespace quern
