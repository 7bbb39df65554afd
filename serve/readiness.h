// Readiness: whether the engine can generate, found out by generating one token.
#ifndef QUERN_SERVE_READINESS_H_
#define QUERN_SERVE_READINESS_H_

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "serve/engine.h"

namespace quern {

class Readiness {
 public:
  // `engine` outlives every probe: it is destroyed first, which ends them.
  explicit Readiness(Engine* engine) : state_(std::make_shared<State>()), engine_(engine) {}

  // Calls `done` when one token has been generated (OK) or could not be, from the engine's thread or at once. Those who
  // ask while a probe is under way share it, so that a hung engine is probed once. Deadlines are the caller's.
  void Check(std::function<void(absl::Status)> done);

 private:
  struct State {
    std::mutex mutex;
    std::vector<std::function<void(absl::Status)>> waiting;
  };
  std::shared_ptr<State> state_;
  Engine* engine_;
};

}  // namespace quern

#endif  // QUERN_SERVE_READINESS_H_
