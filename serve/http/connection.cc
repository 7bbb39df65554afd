// A little longer than most: the states of a connection are easier to follow in one place.
#include "serve/http/connection.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "boost/asio/post.hpp"
#include "boost/asio/write.hpp"

namespace quern {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr size_t kReadBytes = 16 << 10;
// Unread requests that may wait behind the one being answered.
constexpr size_t kMaxUnread = 64 << 10;

std::chrono::steady_clock::duration Seconds(double seconds) {
  return std::chrono::duration_cast<std::chrono::steady_clock::duration>(std::chrono::duration<double>(seconds));
}

bool IsModestId(std::string_view id) {
  return !id.empty() && id.size() <= 64 &&
         id.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
             "0123456789._-") == std::string_view::npos;
}

}  // namespace

// Every call goes through the strand, in order.
class ConnectionResponder : public Responder {
 public:
  ConnectionResponder(std::shared_ptr<Connection> connection, uint64_t serial)
      : connection_(std::move(connection)), serial_(serial) {}
  ~ConnectionResponder() override {
    Post([](Connection& c) { c.Abandon(); });
  }

  void Send(HttpResponse response) override {
    Post([response = std::move(response)](Connection& c) { c.Send(response); });
  }
  void StartStream(HttpResponse response) override {
    Post([response = std::move(response)](Connection& c) { c.StartStream(response); });
  }
  void Write(std::string bytes) override {
    Post([bytes = std::move(bytes)](Connection& c) { c.WriteStream(bytes); });
  }
  void Finish() override {
    Post([](Connection& c) { c.EndAnswer(); });
  }
  void OnDisconnect(std::function<void()> left) override {
    connection_->Post([serial = serial_, left = std::move(left)](Connection& c) {
      if (c.serial_ != serial || c.ended_) return;
      if (c.state_ == Connection::State::kAnswering) {
        c.left_ = left;
      } else {
        left();  // it has left already
      }
    });
  }
  void After(double seconds, std::function<void()> call) override {
    Post([seconds, call = std::move(call)](Connection& c) { c.CallAfter(seconds, call); });
  }
  void SetRoute(std::string_view route) override { connection_->record_.route = std::string(route); }

 private:
  template <typename Call>
  void Post(Call call) {
    connection_->Post([serial = serial_, call = std::move(call)](Connection& c) {
      if (c.serial_ == serial && c.state_ == Connection::State::kAnswering && !c.ended_) call(c);
    });
  }

  std::shared_ptr<Connection> connection_;
  uint64_t serial_;
};

std::vector<std::shared_ptr<Connection>> ConnectionShared::OpenConnections() {
  std::lock_guard<std::mutex> lock(mutex);
  std::vector<std::shared_ptr<Connection>> connections;
  for (const auto& item : open) {
    if (auto connection = item.second.lock()) connections.push_back(std::move(connection));
  }
  return connections;
}

Connection::Connection(std::shared_ptr<ConnectionShared> shared, tcp::socket socket)
    : shared_(std::move(shared)),
      socket_(std::move(socket)),
      input_timer_(socket_.get_executor()),
      write_timer_(socket_.get_executor()),
      reader_(shared_->options.limits) {}

Connection::~Connection() {
  std::lock_guard<std::mutex> lock(shared_->mutex);
  shared_->open.erase(this);  // where it never came to run
}

template <typename Call>
void Connection::Post(Call call) {
  if (shared_->stopped.load()) return;
  asio::post(socket_.get_executor(), [self = shared_from_this(), call = std::move(call)] { call(*self); });
}

void Connection::Start() {
  {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    shared_->open[this] = weak_from_this();
  }
  Post([](Connection& c) {
    ErrorCode ignored;
    c.socket_.non_blocking(true, ignored);
    c.socket_.set_option(tcp::no_delay(true), ignored);
    // A fixed size bounds what the kernel holds for clients that do not read.
    c.socket_.set_option(asio::socket_base::send_buffer_size(128 << 10), ignored);
    c.ExpectRequest();
    c.Watch();
  });
}

void Connection::Drain() {
  Post([](Connection& c) {
    if (c.state_ == State::kReceiving && !c.busy_) c.CloseNow();
  });
}

void Connection::Close() {
  Post([](Connection& c) { c.Leave(); });
}

// ---- Reading.

void Connection::Watch() {
  if (watching_ || input_ended_ || state_ == State::kClosed) return;
  if (state_ == State::kAnswering && in_.size() >= kMaxUnread) return;
  watching_ = true;
  // Waiting, then reading what is there, keeps idle connections free of buffers.
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](ErrorCode error) {
    self->watching_ = false;
    if (self->state_ == State::kClosed) return;
    if (error) return self->Leave();
    self->ReadAvailable();
  });
}

void Connection::ReadAvailable() {
  char bytes[kReadBytes];
  ErrorCode error;
  size_t count = socket_.read_some(asio::buffer(bytes), error);
  if (error == asio::error::would_block || error == asio::error::try_again) return Watch();
  if (error == asio::error::eof) return EndInput();
  if (error) return Leave();
  if (state_ != State::kLingering) in_.append(bytes, count);
  if (state_ == State::kReceiving) ProcessInput();
  Watch();
}

void Connection::EndInput() {
  input_ended_ = true;
  // An answer that is complete is still delivered: `printf ... | nc` closes its side at once.
  if (state_ == State::kAnswering && ended_) return;
  Leave();
}

void Connection::ExpectRequest() {
  state_ = State::kReceiving;
  reader_ = RequestReader(shared_->options.limits);
  SetInputDeadline(shared_->options.idle_timeout, [this] { CloseNow(); });
}

void Connection::SetInputDeadline(double seconds, std::function<void()> passed) {
  input_timer_.expires_after(Seconds(seconds));
  input_timer_.async_wait([self = shared_from_this(), passed = std::move(passed)](ErrorCode error) {
    // A timer that fired just before it was set anew is stale.
    if (!error && self->state_ != State::kClosed && self->input_timer_.expiry() <= std::chrono::steady_clock::now()) {
      passed();
    }
  });
}

void Connection::ProcessInput() {
  while (state_ == State::kReceiving && !in_.empty()) {
    if (!ProcessPart()) return;
  }
}

// Takes the next part of in_; false when more input is needed first.
bool Connection::ProcessPart() {
  using State = RequestFraming::State;
  const State before = reader_.state();
  in_.erase(0, reader_.Consume(in_));
  if (reader_.started() && !busy_) {
    SetBusy(true);
    SetInputDeadline(shared_->options.head_timeout, [this] {
      Refuse({408, "head_timeout", "The request's head took too long to arrive."});
    });
  }
  if (reader_.state() == State::kError) {
    Refuse(reader_.error());
    return false;
  }
  if (reader_.state() == State::kDone) {
    Dispatch();
    return false;
  }
  if (before == State::kHead && reader_.state() == State::kBody) BeginBody();
  return reader_.state() != before;
}

void Connection::BeginBody() {
  if (reader_.head().expects_continue && in_.empty()) {
    pending_ += "HTTP/1.1 100 Continue\r\n\r\n";
    Flush();
  }
  SetInputDeadline(shared_->options.body_timeout, [this] {
    Refuse({408, "body_timeout", "The request's body took too long to arrive."});
  });
}

std::string Connection::RequestId(std::string_view offered) {
  if (IsModestId(offered)) return std::string(offered);
  return absl::StrCat(shared_->request_id_prefix, shared_->requests.fetch_add(1) + 1);
}

void Connection::Dispatch() {
  const RequestHead& head = reader_.head();
  HttpRequest request = std::move(reader_).Take();
  request.id = request_id_ = RequestId(request.Field("X-Request-Id"));

  BeginAnswer(head.method);
  head_only_ = head.method == "HEAD";
  close_after_ = !head.keep_alive;
  shared_->handler(std::move(request), std::make_shared<ConnectionResponder>(shared_from_this(), serial_));
}

void Connection::SetBusy(bool busy) {
  if (busy == busy_) return;
  busy_ = busy;
  {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    shared_->busy += busy ? 1 : -1;
  }
  shared_->changed.notify_all();
}

// ---- Answering.

void Connection::BeginAnswer(const std::string& method) {
  state_ = State::kAnswering;
  input_timer_.cancel();
  ++serial_;
  head_time_ = MonotonicSeconds();
  record_ = {};
  record_.method = method;
  head_only_ = started_ = streaming_ = ended_ = false;
}

void Connection::Refuse(const HttpError& error) {
  if (state_ != State::kReceiving) return;
  BeginAnswer(reader_.head().method);
  record_.code = error.code;
  close_after_ = true;
  request_id_ = RequestId("");
  Send(ErrorResponse(error, request_id_));
}

void Connection::Send(const HttpResponse& response) {
  if (started_) return Abandon();
  started_ = ended_ = true;
  record_.status = response.status;
  close_after_ = close_after_ || shared_->draining.load();
  HeadOptions options;
  options.close = close_after_;
  options.content_length = response.body.size();
  pending_ += WriteHead(response, options, request_id_);
  if (!head_only_) pending_ += response.body;
  Record(/*client_left=*/false);
  DropCallbacks();
  Flush();
}

void Connection::StartStream(const HttpResponse& response) {
  if (started_) return Abandon();
  started_ = streaming_ = true;
  record_.status = response.status;
  close_after_ = close_after_ || shared_->draining.load();
  HeadOptions options;
  options.close = close_after_;
  options.chunked = true;
  pending_ += WriteHead(response, options, request_id_);
  Flush();
}

void Connection::WriteStream(std::string_view bytes) {
  if (!streaming_) return Abandon();
  payload_.append(bytes);
  if (payload_.size() + pending_.size() > shared_->options.max_pending_bytes) return Leave();
  Flush();
}

void Connection::EndAnswer() {
  if (!streaming_) return Abandon();
  ended_ = true;
  Record(/*client_left=*/false);
  DropCallbacks();
  Flush();
}

// The responder was dropped, or used out of order.
void Connection::Abandon() {
  if (started_) return Leave();
  Send(ErrorResponse({500, "internal", "The server failed to answer this request."}, request_id_));
}

void Connection::CallAfter(double seconds, std::function<void()> call) {
  auto timer = std::make_shared<asio::steady_timer>(socket_.get_executor());
  calls_.push_back(timer);
  timer->expires_after(Seconds(seconds));
  timer->async_wait([self = shared_from_this(), serial = serial_, call = std::move(call), timer](ErrorCode error) {
    if (error || self->serial_ != serial || self->ended_ || self->state_ != State::kAnswering) return;
    self->calls_.erase(std::remove(self->calls_.begin(), self->calls_.end(), timer), self->calls_.end());
    call();
  });
}

void Connection::Flush() {
  if (writing_ || state_ == State::kClosed) return;
  out_ = std::move(pending_);
  pending_.clear();
  if (!payload_.empty()) out_ += WriteChunk(payload_);
  payload_.clear();
  if (streaming_ && ended_) {
    out_ += "0\r\n\r\n";
    streaming_ = false;
  }
  if (out_.empty()) return;
  writing_ = true;
  write_timer_.expires_after(Seconds(shared_->options.write_timeout));
  write_timer_.async_wait([self = shared_from_this()](ErrorCode error) {
    if (!error && self->writing_ && self->write_timer_.expiry() <= std::chrono::steady_clock::now()) self->Leave();
  });
  asio::async_write(socket_, asio::buffer(out_),
                    [self = shared_from_this()](ErrorCode error, size_t) { self->OnWritten(error); });
}

void Connection::OnWritten(ErrorCode error) {
  writing_ = false;
  write_timer_.cancel();
  if (state_ == State::kClosed) return;
  if (error) return Leave();
  if (!pending_.empty() || !payload_.empty() || (streaming_ && ended_)) return Flush();
  if (state_ == State::kAnswering && ended_) FinishAnswer();
}

void Connection::FinishAnswer() {
  SetBusy(false);
  if (close_after_ || shared_->draining.load()) return Linger();
  ExpectRequest();
  if (input_ended_ && in_.empty()) return CloseNow();
  ProcessInput();
  // Only a whole request is answered once the input has ended.
  if (input_ended_ && state_ == State::kReceiving) return CloseNow();
  Watch();
}

// The client, or the server's end, came before the end of an answer.
void Connection::Leave() {
  if (state_ == State::kClosed) return;
  if (state_ == State::kAnswering && !ended_) {
    if (!started_) record_.status = 499;
    Record(/*client_left=*/true);
    if (auto left = std::exchange(left_, nullptr)) left();
  }
  CloseNow();
}

// Closing while the client still sends would reset the connection and might destroy the answer on its way.
void Connection::Linger() {
  if (input_ended_) return CloseNow();
  state_ = State::kLingering;
  in_.clear();
  ErrorCode ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  SetInputDeadline(shared_->options.linger_timeout, [this] { CloseNow(); });
  Watch();
}

void Connection::CloseNow() {
  if (state_ == State::kClosed) return;
  state_ = State::kClosed;
  SetBusy(false);
  {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    shared_->open.erase(this);
  }
  DropCallbacks();
  input_timer_.cancel();
  write_timer_.cancel();
  ErrorCode ignored;
  socket_.close(ignored);
}

// They may hold what holds this connection.
void Connection::DropCallbacks() {
  left_ = nullptr;
  for (auto& timer : calls_) timer->cancel();
  calls_.clear();
}

// Before the answer's last byte goes out, so that whoever has read it finds it counted.
void Connection::Record(bool client_left) {
  if (!shared_->options.on_record) return;
  record_.seconds = MonotonicSeconds() - head_time_;
  record_.client_left = client_left;
  shared_->options.on_record(record_);
}

}  // namespace quern
