// Engine: what HTTP sees of text generation. Requests in, pieces of text out, from a thread that HTTP never waits for.
#ifndef QUERN_SERVE_ENGINE_H_
#define QUERN_SERVE_ENGINE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "nn/decode/sampling_options.h"

namespace quern {

using EngineRequestId = int64_t;

struct EngineRequest {
  std::string prompt;
  std::optional<int32_t> max_new_tokens;  // none: `default_max_new_tokens`, or as many as fit behind the prompt
  int32_t default_max_new_tokens = 128;
  SamplingOptions sampling;
  std::vector<std::string> stop;  // left out of the text
  // A sign of life: one token of an empty prompt (the other fields are ignored), ahead of all that waits and not
  // counted among the requests.
  bool probe = false;
};

// Moments of one request, in MonotonicSeconds; 0: not reached.
struct EngineTimes {
  double submitted = 0;
  double started = 0;      // admitted to the batch
  double first_token = 0;  // chosen
  double finished = 0;
};

// What has happened to a request since its last update.
struct EngineUpdate {
  std::string text;        // whole characters; never a part of a stop string
  int32_t new_tokens = 0;  // chosen since then, also those that gave no text yet: one or none
  int32_t token = -1;      // the one, and its log-probability under the model, in nats
  float logprob = 0;
  double time = 0;  // MonotonicSeconds at the end of the step

  bool finished = false;
  // Of the last update. InvalidArgument: the request is at fault, `field` names where; Cancelled: by Cancel, or the
  // engine is going away; else the engine is at fault.
  absl::Status status;
  std::string field;
  std::string finish_reason;  // "stop" or "length"
  int32_t prompt_tokens = 0, completion_tokens = 0, max_new_tokens = 0;
  EngineTimes times;
};

// Called from the engine's threads, in order, never after the update that says `finished`. Must not block, nor call the
// engine.
using EngineUpdateFn = std::function<void(EngineUpdate)>;

struct EngineStats {
  int64_t running = 0, waiting = 0;
  int64_t cache_blocks_used = 0, cache_blocks_total = 0;
  double seconds_since_step = 0;  // since the engine's loop last came round: small also when there is nothing to do
};

class Engine {
 public:
  // After Shutdown.
  virtual ~Engine() = default;
  // Every request that is not finished ends with Cancelled, and Submit refuses from now on.
  virtual void Shutdown() = 0;

  // ResourceExhausted when the queue is full. Any thread.
  virtual absl::StatusOr<EngineRequestId> Submit(EngineRequest request, EngineUpdateFn update) = 0;
  // The request ends with Cancelled, soon; unknown ids are ignored. Any thread.
  virtual void Cancel(EngineRequestId id) = 0;
  virtual EngineStats stats() const = 0;

  // A hook for tests and drills: the engine stands still, as if hung, until it is let go.
  virtual void Pause(bool paused) = 0;
};

}  // namespace quern

#endif  // QUERN_SERVE_ENGINE_H_
