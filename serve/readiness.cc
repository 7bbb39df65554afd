#include "serve/readiness.h"

#include <utility>

namespace quern {

void Readiness::Check(std::function<void(absl::Status)> done) {
  {
    std::lock_guard<std::mutex> lock(state_->mutex);
    state_->waiting.push_back(std::move(done));
    if (state_->waiting.size() > 1) return;
  }
  auto answer = [state = state_](const absl::Status& status) {
    std::vector<std::function<void(absl::Status)>> waiting;
    {
      std::lock_guard<std::mutex> lock(state->mutex);
      waiting.swap(state->waiting);
    }
    for (const auto& call : waiting) call(status);
  };
  EngineRequest probe;
  probe.probe = true;
  auto submitted = engine_->Submit(std::move(probe), [answer](EngineUpdate update) {
    if (!update.finished) return;
    if (update.status.ok() && update.completion_tokens != 1) update.status = absl::InternalError("no token came");
    answer(update.status);
  });
  if (!submitted.ok()) answer(submitted.status());
}

}  // namespace quern
