#include "serve/http_service.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <utility>

#include "base/interrupt.h"
#include "base/status_macros.h"

namespace quern {

absl::StatusOr<std::unique_ptr<HttpService>> HttpService::Start(const ServeOptions& options, const ServedModel& model,
                                                                const MakeEngine& make_engine, HttpServerOptions http) {
  std::unique_ptr<HttpService> service(new HttpService());
  ContextPtr context = std::make_shared<ServeContext>(options, model);
  service->context_ = context;
  http.host = options.host;
  http.port = options.port;
  http.io_threads = options.io_threads;
  http.max_connections = options.max_connections;
  http.limits.max_body_bytes = options.max_body_bytes;
  http.on_record = [context](const HttpRecord& record) { context->metrics().OnHttp(record); };
  auto handler = [context](HttpRequest request, std::shared_ptr<Responder> responder) {
    HandleRequest(context, request, responder);
  };
  ASSIGN_OR_RETURN(service->http_, HttpServer::Listen(http, handler));
  context->count_connections = [http = service->http_.get()] { return http->connections(); };
  service->http_->Start();
  ServedModel loaded = model;
  ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, make_engine(loaded));
  context->Install(std::move(engine), loaded);
  RETURN_IF_ERROR(service->FirstToken());
  context->SetStarted();
  return service;
}

// Proves that the model can generate before anybody is told that it does.
absl::Status HttpService::FirstToken() {
  struct Answer {
    std::mutex mutex;
    std::condition_variable changed;
    std::optional<absl::Status> status;
  };
  auto answer = std::make_shared<Answer>();
  context_->CheckReady([answer](const absl::Status& status) {
    std::lock_guard<std::mutex> lock(answer->mutex);
    answer->status = status;
    answer->changed.notify_all();
  });
  std::unique_lock<std::mutex> lock(answer->mutex);
  while (!answer->status.has_value()) {
    if (Interrupted()) return absl::CancelledError("interrupted while the model was being loaded");
    answer->changed.wait_for(lock, std::chrono::milliseconds(50));
  }
  context_->metrics().SetReady(answer->status->ok());
  return *answer->status;
}

HttpService::~HttpService() {
  if (engine() != nullptr) engine()->Shutdown();  // nothing is written any more to connections that go
  http_.reset();                                  // its threads call into the context
}

bool HttpService::Shutdown() {
  if (http_->Drain(context_->options().drain_timeout)) return true;
  engine()->Shutdown();  // tells every request that is left
  http_->Drain(1);
  return false;
}

}  // namespace quern
