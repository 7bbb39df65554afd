#include "serve/routes.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace quern {
namespace {

// A new endpoint is a unit of its own and a line here. The page's files are those of web/.
constexpr Route kRoutes[] = {
    {"POST", "/api/generate", HandleGenerate}, {"GET", "/v1/models", HandleModels}, {"GET", "/livez", HandleLive},
    {"GET", "/healthz", HandleLive},           {"GET", "/startupz", HandleStarted}, {"GET", "/readyz", HandleReady},
    {"GET", "/metrics", HandleMetrics},
};

bool Answers(const Route& route, std::string_view method) {
  return method == route.method || (method == "HEAD" && route.method == "GET");
}

}  // namespace

ServedModel ServeContext::model() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return model_;
}

void ServeContext::Install(std::unique_ptr<Engine> engine, const ServedModel& model) {
  std::lock_guard<std::mutex> lock(mutex_);
  model_ = model;
  owned_engine_ = std::move(engine);
  readiness_ = std::make_unique<Readiness>(owned_engine_.get());
  engine_ = owned_engine_.get();
}

void ServeContext::CheckReady(std::function<void(absl::Status)> done) {
  if (engine() == nullptr) return done(absl::UnavailableError("the model is still being loaded"));
  readiness_->Check(std::move(done));
}

int ServeContext::RetryAfter() const {
  EngineStats stats = engine() == nullptr ? EngineStats{} : engine()->stats();
  std::lock_guard<std::mutex> lock(mutex_);
  double turns = static_cast<double>(stats.waiting) / std::max(1, options_.max_running);
  return std::clamp(static_cast<int>(std::ceil(answer_seconds_ * turns)), 1, 60);
}

void ServeContext::NoteAnswerSeconds(double seconds) {
  std::lock_guard<std::mutex> lock(mutex_);
  answer_seconds_ += 0.1 * (seconds - answer_seconds_);
}

void SendError(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder,
               const HttpError& error) {
  context->metrics().OnError(error.code);
  responder->Send(ErrorResponse(error, request.id));
}

void HandleRequest(const ContextPtr& context, const HttpRequest& request, const ResponderPtr& responder) {
  std::string allowed;
  for (const Route& route : kRoutes) {
    if (request.path != route.path) continue;
    responder->SetRoute(route.path);
    if (Answers(route, request.method)) return route.handle(context, request, responder);
    absl::StrAppend(&allowed, allowed.empty() ? "" : ", ", route.method == "GET" ? "GET, HEAD" : "POST");
  }
  if (allowed.empty() && HandlePage(context, request, responder)) return;
  if (allowed.empty()) {
    return SendError(
        context, request, responder,
        {404, "not_found", "There is nothing here. POST /api/generate answers prompts; GET / is the page."});
  }
  HttpResponse response =
      ErrorResponse({405, "wrong_method", absl::StrCat("This path answers ", allowed, ".")}, request.id);
  response.fields.emplace_back("Allow", allowed);
  context->metrics().OnError("wrong_method");
  responder->Send(std::move(response));
}

}  // namespace quern
