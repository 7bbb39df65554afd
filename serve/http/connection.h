// Connection: one client's socket, from accept to close. Internal to http_server.cc; what it promises stands in
// http_server.h. All private members are touched on the socket's strand only.
#ifndef QUERN_SERVE_HTTP_CONNECTION_H_
#define QUERN_SERVE_HTTP_CONNECTION_H_

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "boost/asio/io_context.hpp"
#include "boost/asio/ip/tcp.hpp"
#include "boost/asio/steady_timer.hpp"
#include "serve/http/http_server.h"
#include "serve/http/request_reader.h"

namespace quern {

class Connection;

// What the connections of one server share. Connections hold it, so that a responder kept for too long finds it there.
struct ConnectionShared {
  HttpServerOptions options;
  HttpHandler handler;
  boost::asio::io_context io;
  std::string request_id_prefix;
  std::atomic<uint64_t> requests{0};
  std::atomic<bool> draining{false};
  std::atomic<bool> stopped{false};

  std::mutex mutex;
  std::condition_variable changed;
  int busy = 0;  // connections with a request that has begun and is not answered yet
  std::unordered_map<Connection*, std::weak_ptr<Connection>> open;

  std::vector<std::shared_ptr<Connection>> OpenConnections();
};

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  // The socket's executor is a strand.
  Connection(std::shared_ptr<ConnectionShared> shared, boost::asio::ip::tcp::socket socket);
  ~Connection();

  // From any thread.
  void Start();
  void Drain();
  void Close();

 private:
  friend class ConnectionResponder;
  using ErrorCode = boost::system::error_code;
  enum class State { kReceiving, kAnswering, kLingering, kClosed };

  // Reading.
  void Watch();
  void ReadAvailable();
  void EndInput();
  void ExpectRequest();
  void ProcessInput();
  bool ProcessPart();
  void BeginBody();
  void Dispatch();
  std::string RequestId(std::string_view offered);
  void SetInputDeadline(double seconds, std::function<void()> passed);
  void SetBusy(bool busy);

  // Answering.
  void BeginAnswer(const std::string& method);
  void Refuse(const HttpError& error);
  void Send(const HttpResponse& response);
  void StartStream(const HttpResponse& response);
  void WriteStream(std::string_view bytes);
  void EndAnswer();
  void Abandon();
  void CallAfter(double seconds, std::function<void()> call);
  void Flush();
  void OnWritten(ErrorCode error);
  void FinishAnswer();
  void Leave();
  void Linger();
  void CloseNow();
  void DropCallbacks();
  void Record(bool client_left);

  template <typename Call>
  void Post(Call call);

  std::shared_ptr<ConnectionShared> shared_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer input_timer_, write_timer_;
  State state_ = State::kReceiving;

  // Input.
  std::string in_;  // received, not yet looked at
  RequestReader reader_;
  bool watching_ = false, input_ended_ = false, busy_ = false;

  // The answer under way; `serial_` tells its responder from those of earlier requests.
  uint64_t serial_ = 0;
  std::string request_id_;
  HttpRecord record_;
  double head_time_ = 0;
  bool head_only_ = false, started_ = false, streaming_ = false, ended_ = false, close_after_ = false;
  std::function<void()> left_;
  std::vector<std::shared_ptr<boost::asio::steady_timer>> calls_;

  // Output: bytes being written, framed bytes that come next, and stream bytes that are not framed yet.
  std::string out_, pending_, payload_;
  bool writing_ = false;
};

}  // namespace quern

#endif  // QUERN_SERVE_HTTP_CONNECTION_H_
