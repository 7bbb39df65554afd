// /livez, /startupz, /readyz and /metrics.
#include <atomic>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/json.h"
#include "serve/routes.h"

namespace quern {
namespace {

HttpResponse StatusAnswer(int status, Json json) {
  HttpResponse response;
  response.status = status;
  response.body = WriteJsonLine(json) + "\n";
  if (status == 503) response.fields.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

// That this runs is the proof: the I/O threads turn. Restarting a server whose model is slow would not help it.
void HandleLive(const ContextPtr&, const HttpRequest&, const ResponderPtr& responder) {
  responder->Send(StatusAnswer(200, {{"status", "ok"}}));
}

void HandleStarted(const ContextPtr& context, const HttpRequest&, const ResponderPtr& responder) {
  if (context->started()) return responder->Send(StatusAnswer(200, {{"status", "ok"}}));
  responder->Send(StatusAnswer(503, {{"status", "starting"}, {"reason", "the model is still being loaded"}}));
}

void HandleReady(const ContextPtr& context, const HttpRequest&, const ResponderPtr& responder) {
  const double start = MonotonicSeconds(), limit = context->options().readiness_timeout;
  auto answered = std::make_shared<std::atomic<bool>>(false);
  auto unready = [context, responder, answered](const std::string& reason) {
    if (answered->exchange(true)) return;
    context->metrics().SetReady(false);
    context->metrics().OnError("unready");
    responder->Send(StatusAnswer(503, {{"status", "unready"}, {"reason", reason}}));
  };
  responder->After(limit, [unready, limit] {
    unready(absl::StrCat("the engine did not generate one token within ", limit, " seconds"));
  });
  context->CheckReady([context, responder, answered, unready, start](const absl::Status& status) {
    if (!status.ok()) return unready(std::string(status.message()));
    if (answered->exchange(true)) return;
    context->metrics().SetReady(true);
    responder->Send(StatusAnswer(200, {{"status", "ready"}, {"seconds", MonotonicSeconds() - start}}));
  });
}

void HandleMetrics(const ContextPtr& context, const HttpRequest&, const ResponderPtr& responder) {
  const ServedModel model = context->model();
  ServeMetrics::Now now;
  now.model_name = model.name;
  now.model_sha256 = model.sha256;
  now.verdict = model.verdict;
  if (const Engine* engine = context->engine()) now.engine = engine->stats();
  if (context->count_connections) now.connections = context->count_connections();
  now.started = context->started();
  HttpResponse response;
  response.content_type = "text/plain; version=0.0.4; charset=utf-8";
  response.body = context->metrics().Render(now);
  responder->Send(std::move(response));
}

}  // namespace quern
