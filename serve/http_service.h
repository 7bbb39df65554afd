// HttpService: the routes on a port, and the engine behind them, from first to last request.
#ifndef QUERN_SERVE_HTTP_SERVICE_H_
#define QUERN_SERVE_HTTP_SERVICE_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "serve/engine.h"
#include "serve/http/http_server.h"
#include "serve/options.h"
#include "serve/routes.h"
#include "serve/served_model.h"

namespace quern {

class HttpService {
 public:
  // Loads the model, and may complete what is said of it.
  using MakeEngine = std::function<absl::StatusOr<std::unique_ptr<Engine>>(ServedModel& model)>;

  // Takes the port, answers probes, makes the engine and generates a first token; then everything is answered. Host,
  // port, body limit and the like are the options'; `http` holds what else there is to set. Errors: Unavailable for the
  // port, those of `make_engine`, of the first token; Cancelled after an interrupt.
  static absl::StatusOr<std::unique_ptr<HttpService>> Start(const ServeOptions& options, const ServedModel& model,
                                                            const MakeEngine& make_engine, HttpServerOptions http = {});
  ~HttpService();

  int port() const { return http_->port(); }
  std::string url() const { return http_->url(); }
  Engine* engine() const { return context_->engine(); }
  ServedModel model() const { return context_->model(); }

  // Stops accepting and finishes the answers under way; after options.drain_timeout those left are told and cut. True
  // when none was cut. Once.
  bool Shutdown();

 private:
  HttpService() = default;
  absl::Status FirstToken();

  ContextPtr context_;
  std::unique_ptr<HttpServer> http_;
};

}  // namespace quern

#endif  // QUERN_SERVE_HTTP_SERVICE_H_
