// HttpServer: HTTP/1.1 on Boost.Asio, asynchronous, a few I/O threads for thousands of slow streams.
//
// Each connection passes its bytes through RequestFraming, which refuses whatever is ambiguous, and then through
// Boost.Beast's parser; where the two disagree the request is refused too. Requests of one connection are answered one
// after another (pipelined ones wait their turn, unread). Slow clients meet deadlines: for the head, the body, between
// requests, and for each write. While a request is being answered the connection is watched, so that a client that
// leaves is noticed (an end of input counts as leaving).
#ifndef QUERN_SERVE_HTTP_HTTP_SERVER_H_
#define QUERN_SERVE_HTTP_HTTP_SERVER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "serve/http/message.h"
#include "serve/http/request_framing.h"

namespace quern {

// The answer to one request: either Send, or StartStream, Write..., Finish. May be called from any thread; calls take
// effect in order, and those after the client left, or after the answer ended, do nothing. An answer dropped without
// an end is a 500, or a cut stream.
class Responder {
 public:
  virtual ~Responder() = default;

  virtual void Send(HttpResponse response) = 0;
  // Head of a chunked answer; response.body is ignored. Writes that find the socket busy are sent together.
  virtual void StartStream(HttpResponse response) = 0;
  virtual void Write(std::string bytes) = 0;
  virtual void Finish() = 0;

  // Called once, on the connection's strand, when the client has left (or reads too slowly) before the answer ended.
  virtual void OnDisconnect(std::function<void()> left) = 0;
  // Runs `call` on the connection's strand, unless the answer has ended by then.
  virtual void After(double seconds, std::function<void()> call) = 0;
  // For HttpRecord: the pattern of the route ("/api/generate"). Only from the handler itself.
  virtual void SetRoute(std::string_view route) = 0;
};

// Called on the connection's strand; must not block.
using HttpHandler = std::function<void(HttpRequest request, std::shared_ptr<Responder> responder)>;

// One answer, when its end is about to be sent or the client has left.
struct HttpRecord {
  std::string method;  // "" where the request line was refused
  std::string route;   // "" where no handler ran
  int status = 0;      // 499: the client left before there was one
  std::string code;    // of a framing error
  double seconds = 0;  // since the head had arrived
  bool client_left = false;
};

struct HttpServerOptions {
  std::string host = "127.0.0.1";
  int port = 8000;  // 0: a free one
  int io_threads = 2;
  int max_connections = 8192;  // beyond: 503 and closed
  FramingLimits limits;
  // Seconds.
  double head_timeout = 10;                          // for the whole head, from its first byte
  double body_timeout = 30;                          // for the whole body
  double idle_timeout = 60;                          // between requests, and before the first
  double write_timeout = 30;                         // for each write to be taken by the client
  double linger_timeout = 2;                         // for a refused client to stop sending
  size_t max_pending_bytes = 256 << 10;              // of a stream that its client does not read; beyond, it has left
  std::function<void(const HttpRecord&)> on_record;  // any thread
};

class HttpServer {
 public:
  // Binds. Unavailable, with the port and what to do, where it is taken or not ours to take; InvalidArgument for a
  // host that is not known.
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(const HttpServerOptions& options, HttpHandler handler);
  // Closes everything at once.
  ~HttpServer();

  int port() const;
  std::string url() const;  // "http://127.0.0.1:8000"
  int connections() const;

  // Accepts and answers, on threads of its own.
  void Start();
  // Stops accepting, closes idle connections, and waits up to `seconds` for the answers under way; true when all were
  // finished. New requests on open connections are still answered, and their connections closed.
  bool Drain(double seconds);

 private:
  struct Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace quern

#endif  // QUERN_SERVE_HTTP_HTTP_SERVER_H_
