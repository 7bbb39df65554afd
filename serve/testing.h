// FakeEngine: an Engine without a model, for tests of what surrounds one.
#ifndef QUERN_SERVE_TESTING_H_
#define QUERN_SERVE_TESTING_H_

#include <condition_variable>
#include <map>
#include <mutex>
#include <thread>

#include "serve/engine.h"

namespace quern {

struct FakeEngineOptions {
  double step_seconds = 0.001;
  int max_running = 64, max_queue = 256;
};

// Token i of an answer is the text "<i> "; an answer has max_new_tokens of them, or ends before the first that contains
// a stop string. A prompt "refuse" is InvalidArgument of the field prompt, "boom" an Internal error after two tokens,
// "silent" never gets a token.
class FakeEngine : public Engine {
 public:
  explicit FakeEngine(const FakeEngineOptions& options = {});
  ~FakeEngine() override { Shutdown(); }

  void Shutdown() override;
  absl::StatusOr<EngineRequestId> Submit(EngineRequest request, EngineUpdateFn update) override;
  void Cancel(EngineRequestId id) override;
  EngineStats stats() const override;
  void Pause(bool paused) override;

  int64_t cancelled() const;   // requests that were cancelled so far
  int64_t cancelling() const;  // that will be at the next step
  int64_t probes() const;

 private:
  struct Job;
  void Loop();
  int64_t Requests() const;  // without probes; under mutex_
  void Step(Job& job);
  void End(Job& job, absl::Status status, const char* reason, const char* field = "");

  const FakeEngineOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false, paused_ = false;
  EngineRequestId next_id_ = 1;
  std::map<EngineRequestId, std::shared_ptr<Job>> jobs_;  // the first max_running of them run
  int64_t cancelled_ = 0, probes_ = 0;
  std::thread thread_;
};

}  // namespace quern

#endif  // QUERN_SERVE_TESTING_H_
