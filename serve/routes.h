// Routes: the server's paths, and what stands behind all of them.
#ifndef QUERN_SERVE_ROUTES_H_
#define QUERN_SERVE_ROUTES_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "serve/engine.h"
#include "serve/http/http_server.h"
#include "serve/http/message.h"
#include "serve/metrics.h"
#include "serve/options.h"
#include "serve/readiness.h"
#include "serve/served_model.h"

namespace quern {

// What handlers share. Requests may come before the engine does and while the server drains.
class ServeContext {
 public:
  ServeContext(ServeOptions options, ServedModel model) : options_(std::move(options)), model_(std::move(model)) {}

  const ServeOptions& options() const { return options_; }
  ServeMetrics& metrics() { return metrics_; }
  ServedModel model() const;

  // Called once, when the model is loaded.
  void Install(std::unique_ptr<Engine> engine, const ServedModel& model);
  // Null before; then until the end.
  Engine* engine() const { return engine_.load(); }

  // Whether the first probe has passed.
  bool started() const { return started_; }
  void SetStarted() { started_ = true; }
  // One token; see Readiness. Unavailable before the engine is there.
  void CheckReady(std::function<void(absl::Status)> done);

  // Open connections, for the metrics.
  std::function<int()> count_connections;

  // Seconds after which a refused client may come again, by how long answers have taken of late.
  int RetryAfter() const;
  void NoteAnswerSeconds(double seconds);

 private:
  const ServeOptions options_;
  mutable std::mutex mutex_;
  ServedModel model_;
  ServeMetrics metrics_;
  std::unique_ptr<Engine> owned_engine_;
  std::atomic<Engine*> engine_{nullptr};
  std::unique_ptr<Readiness> readiness_;
  std::atomic<bool> started_{false};
  double answer_seconds_ = 0.5;
};

using ContextPtr = std::shared_ptr<ServeContext>;
using ResponderPtr = std::shared_ptr<Responder>;
using RouteFn = void (*)(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder);

struct Route {
  std::string_view method;  // GET answers HEAD too
  std::string_view path;
  RouteFn handle;
};

// Answers a request by the table in routes.cc: 404 for an unknown path, 405 with Allow for a known one.
void HandleRequest(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder);

// Sends `error`, and counts it.
void SendError(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder,
               const HttpError& error);

// ---- The handlers, one unit each.

void HandleGenerate(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder);
void HandleModels(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder);
void HandleLive(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder);
void HandleStarted(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder);
void HandleReady(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder);
void HandleMetrics(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder);
// The page and its files; false where `path` is none of them.
bool HandlePage(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder);

}  // namespace quern

#endif  // QUERN_SERVE_ROUTES_H_
