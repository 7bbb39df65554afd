#include "serve/http/http_server.h"

#include <chrono>
#include <future>
#include <optional>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/post.hpp"
#include "boost/asio/strand.hpp"
#include "serve/http/connection.h"

namespace quern {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using ErrorCode = boost::system::error_code;

absl::StatusOr<tcp::endpoint> Resolve(const std::string& host, int port) {
  if (port < 0 || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat("port ", port, " is not in 0 to 65535 (0 takes a free one)."));
  }
  ErrorCode error;
  asio::ip::address address = asio::ip::make_address(host == "localhost" ? "127.0.0.1" : host, error);
  if (error) {
    asio::io_context io;
    auto found = tcp::resolver(io).resolve(host, "", error);
    if (error || found.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("host \"", host, "\" is not an address or name of this machine; 127.0.0.1 serves this machine ",
                       "only, 0.0.0.0 every network it is on."));
    }
    address = found.begin()->endpoint().address();
  }
  return tcp::endpoint(address, static_cast<uint16_t>(port));
}

absl::Status BindError(const std::string& host, int port, const ErrorCode& error) {
  if (error == asio::error::address_in_use) {
    return absl::UnavailableError(
        absl::StrCat("port ", port, " on ", host,
                     " is already in use. Choose another with --port (0 takes a free one), or stop the ",
                     "program that has it: `ss -ltnp 'sport = :", port, "'` names it."));
  }
  return absl::UnavailableError(absl::StrCat("cannot listen on port ", port, " of ", host, ": ", error.message(),
                                             ". Choose another host or port with --host and --port."));
}

}  // namespace

struct HttpServer::Impl {
  explicit Impl(std::shared_ptr<ConnectionShared> state)
      : shared(std::move(state)), acceptor(asio::make_strand(shared->io)), retry(acceptor.get_executor()) {}

  std::shared_ptr<ConnectionShared> shared;
  tcp::acceptor acceptor;
  asio::steady_timer retry;
  std::optional<asio::executor_work_guard<asio::io_context::executor_type>> work;
  std::vector<std::thread> threads;
  int port = 0;

  void Accept() {
    acceptor.async_accept(asio::make_strand(shared->io), [this](ErrorCode error, tcp::socket socket) {
      if (error == asio::error::operation_aborted || !acceptor.is_open()) return;
      if (error) {  // out of descriptors, most likely: let some close
        retry.expires_after(std::chrono::milliseconds(100));
        retry.async_wait([this](ErrorCode stopped) {
          if (!stopped && acceptor.is_open()) Accept();
        });
        return;
      }
      Admit(std::move(socket));
      Accept();
    });
  }

  void Admit(tcp::socket socket) {
    bool full = false;
    {
      std::lock_guard<std::mutex> lock(shared->mutex);
      full = shared->open.size() >= static_cast<size_t>(shared->options.max_connections);
    }
    if (!full) return std::make_shared<Connection>(shared, std::move(socket))->Start();
    // One attempt, without waiting: a client over the limit gets no more of the server's attention.
    HttpResponse response =
        ErrorResponse({503, "too_many_connections", "The server has no connection to spare.", "", 1});
    HeadOptions options;
    options.close = true;
    options.content_length = response.body.size();
    ErrorCode ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(asio::buffer(WriteHead(response, options, "") + response.body), ignored);
    if (shared->options.on_record) {
      HttpRecord record;
      record.status = 503;
      record.code = "too_many_connections";
      shared->options.on_record(record);
    }
  }

  // Returns when no connection can be admitted any more.
  void StopAccepting() {
    std::promise<void> stopped;
    asio::post(acceptor.get_executor(), [this, &stopped] {
      ErrorCode ignored;
      acceptor.close(ignored);
      retry.cancel();
      stopped.set_value();
    });
    if (threads.empty()) shared->io.run();
    stopped.get_future().wait();
  }
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(const HttpServerOptions& options, HttpHandler handler) {
  absl::StatusOr<tcp::endpoint> endpoint = Resolve(options.host, options.port);
  if (!endpoint.ok()) return endpoint.status();
  auto shared = std::make_shared<ConnectionShared>();
  shared->options = options;
  shared->handler = std::move(handler);
  shared->request_id_prefix = absl::StrCat(absl::Hex(std::random_device()(), absl::kZeroPad8), "-");
  auto impl = std::make_unique<Impl>(std::move(shared));
  ErrorCode error;
  impl->acceptor.open(endpoint->protocol(), error);
  if (!error) impl->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) impl->acceptor.bind(*endpoint, error);
  if (!error) impl->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return BindError(options.host, options.port, error);
  impl->port = impl->acceptor.local_endpoint(error).port();
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

HttpServer::~HttpServer() {
  impl_->StopAccepting();
  for (const auto& connection : impl_->shared->OpenConnections()) connection->Close();
  impl_->work.reset();
  for (std::thread& thread : impl_->threads) thread.join();
  impl_->shared->stopped = true;
}

int HttpServer::port() const { return impl_->port; }

std::string HttpServer::url() const {
  const std::string& host = impl_->shared->options.host;
  bool v6 = host.find(':') != std::string::npos;
  return absl::StrCat("http://", v6 ? "[" : "", host, v6 ? "]" : "", ":", impl_->port);
}

int HttpServer::connections() const {
  std::lock_guard<std::mutex> lock(impl_->shared->mutex);
  return static_cast<int>(impl_->shared->open.size());
}

void HttpServer::Start() {
  impl_->work.emplace(impl_->shared->io.get_executor());
  impl_->Accept();
  for (int i = 0; i < impl_->shared->options.io_threads; ++i) {
    impl_->threads.emplace_back([shared = impl_->shared] { shared->io.run(); });
  }
}

bool HttpServer::Drain(double seconds) {
  impl_->shared->draining = true;
  impl_->StopAccepting();
  for (const auto& connection : impl_->shared->OpenConnections()) connection->Drain();
  std::unique_lock<std::mutex> lock(impl_->shared->mutex);
  return impl_->shared->changed.wait_for(lock, std::chrono::duration<double>(seconds),
                                         [this] { return impl_->shared->busy == 0; });
}

}  // namespace quern
