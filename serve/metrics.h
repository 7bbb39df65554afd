// What the server counts, in Prometheus' text format, by prometheus-cpp.
//
// Names begin with quern_; those that vLLM has too (docs/design/metrics.md there) stand a second time under its name,
// with its buckets (ours add finer ones at the fast end) and its label `model_name`, so that dashboards made for vLLM
// work. Labels take few values: routes are patterns, unknown ones are "other".
#ifndef QUERN_SERVE_METRICS_H_
#define QUERN_SERVE_METRICS_H_

#include <memory>
#include <string>
#include <string_view>

#include "serve/engine.h"
#include "serve/http/http_server.h"

namespace quern {

class ServeMetrics {
 public:
  ServeMetrics();
  ~ServeMetrics();

  // Any thread.
  void OnHttp(const HttpRecord& record);
  // Refusals and failures, by HttpError::code.
  void OnError(std::string_view code);
  void OnClientLeft();
  // The prompt has been read and its first token chosen, `seconds` after it was submitted.
  void OnFirstToken(double seconds);
  void OnTokenGap(double seconds);
  // An answer that was not refused has ended, if only because it was cancelled.
  void OnFinished(const EngineUpdate& last);
  void SetReady(bool ready);

  // Gauges that are read when somebody looks.
  struct Now {
    std::string model_name, model_sha256, verdict;
    EngineStats engine;
    int connections = 0;
    bool started = false;
  };
  std::string Render(const Now& now) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern

#endif  // QUERN_SERVE_METRICS_H_
