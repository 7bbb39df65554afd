// Who may make a browser ask this server to generate.
//
// A page of another site can make its visitor's browser POST to a server on the visitor's own machine (CSRF), and can
// point its own name at 127.0.0.1 to read the answers as well (DNS rebinding). Browsers add Origin to every POST, and
// programs do not; so a POST with an Origin is answered only where that origin is this very server, reached by a name
// that cannot be rebound: a loopback name, an address, or a name that the operator lists (ALLOWED_HOSTS).
#ifndef QUERN_SERVE_ORIGIN_CHECK_H_
#define QUERN_SERVE_ORIGIN_CHECK_H_

#include <optional>
#include <string>
#include <vector>

#include "serve/http/http_error.h"
#include "serve/http/message.h"

namespace quern {

// The 403, or nothing. An origin passes when its authority is that of Host and its host is localhost, *.localhost, an
// IP address or listed; listed names pass under any port and scheme (a proxy may stand in front).
std::optional<HttpError> CheckOrigin(const HttpRequest& request, const std::vector<std::string>& allowed_hosts);

}  // namespace quern

#endif  // QUERN_SERVE_ORIGIN_CHECK_H_
