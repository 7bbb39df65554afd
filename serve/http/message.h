// Requests and answers as routes see them.
#ifndef QUERN_SERVE_HTTP_MESSAGE_H_
#define QUERN_SERVE_HTTP_MESSAGE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "serve/http/http_error.h"

namespace quern {

using HttpFields = std::vector<std::pair<std::string, std::string>>;

// The first field of that name (any case), or "".
std::string_view FindField(const HttpFields& fields, std::string_view name);

struct HttpRequest {
  std::string method, path, query;
  std::string host;   // the authority of Host
  HttpFields fields;  // of the head; trailers are checked and dropped
  std::string body;
  std::string id;  // X-Request-Id of the client where it is a modest token, else made here

  std::string_view Field(std::string_view name) const { return FindField(fields, name); }
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  HttpFields fields;  // besides those that every answer carries
  std::string body;
};

// "Not Found".
std::string_view StatusPhrase(int status);

// {"error": {"code", "message", "field"?, "request_id"?}}, with Retry-After where the error says so.
HttpResponse ErrorResponse(const HttpError& error, std::string_view request_id = {});

// The bytes of an answer's head. Every answer carries Date, X-Request-Id, and the headers that keep a browser from
// framing, sniffing or caching it (`fields` may replace Cache-Control and Content-Security-Policy). CHECKs that no
// field holds a control character.
struct HeadOptions {
  bool chunked = false;  // a stream: Transfer-Encoding instead of Content-Length
  bool close = false;
  size_t content_length = 0;
};
std::string WriteHead(const HttpResponse& response, const HeadOptions& options, std::string_view request_id);

// One chunk of a chunked body; `bytes` is not empty.
std::string WriteChunk(std::string_view bytes);

}  // namespace quern

#endif  // QUERN_SERVE_HTTP_MESSAGE_H_
