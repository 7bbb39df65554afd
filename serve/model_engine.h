// ModelEngine: one thread that owns a model's Decoder and batches whatever is asked for.
//
// Requests pass two queues: a second thread turns prompts into tokens, in order, so that a long prompt holds up neither
// the I/O threads nor the decoding; then they wait for room. Between steps the engine admits the oldest, drops what was
// cancelled, and hands out text. A block of the cache is kept free for the probe, so that a busy server stays ready.
#ifndef QUERN_SERVE_MODEL_ENGINE_H_
#define QUERN_SERVE_MODEL_ENGINE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "data/tokenizer/tokenizer.h"
#include "nn/language_model.h"
#include "serve/engine.h"

namespace quern {

struct ModelEngineOptions {
  int max_running = 64;
  int max_queue = 256;
  int64_t cache_tokens = 0;  // 0: a context for each of max_running, up to a gigabyte, but at least eight contexts
};

class ModelEngine : public Engine {
 public:
  // InvalidArgument where model and tokenizer do not fit; ResourceExhausted where the cache does not fit in memory.
  static absl::StatusOr<std::unique_ptr<Engine>> Create(std::unique_ptr<LanguageModel> model, Tokenizer tokenizer,
                                                        const ModelEngineOptions& options);
};

}  // namespace quern

#endif  // QUERN_SERVE_MODEL_ENGINE_H_
