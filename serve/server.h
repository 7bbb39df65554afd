// `quern serve`: from a model folder to answers on the wire.
#ifndef QUERN_SERVE_SERVER_H_
#define QUERN_SERVE_SERVER_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "serve/http_service.h"
#include "serve/options.h"

namespace quern {

// Checks the verdict, takes the port, loads the model and generates a first token. FailedPrecondition: the verdict, and
// nothing else is (exit status 1 in the CLI). Unavailable: the port or the device. Otherwise what reading the folder
// says.
absl::StatusOr<std::unique_ptr<HttpService>> StartServer(const ServeOptions& options);

// StartServer, then `listening on URL` on stdout; returns OK when SIGINT or SIGTERM has come and the answers under way
// are finished. Expects InstallInterruptHandlers().
absl::Status Serve(const ServeOptions& options);

}  // namespace quern

#endif  // QUERN_SERVE_SERVER_H_
