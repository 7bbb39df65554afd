#include "serve/http/testing.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/log.h"
#include "serve/http/syntax.h"

namespace quern {

TestClient::TestClient(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  inet_pton(AF_INET, "127.0.0.1", &address.sin_addr);
  CHECK(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) << "cannot connect to port " << port;
  int one = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

TestClient::~TestClient() {
  if (fd_ >= 0) close(fd_);
}

TestClient::TestClient(TestClient&& other) noexcept
    : fd_(other.fd_), received_(std::move(other.received_)), ended_(other.ended_) {
  other.fd_ = -1;
}

bool TestClient::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool TestClient::More(double deadline) {
  while (!ended_) {
    double left = deadline - MonotonicSeconds();
    if (left <= 0) return false;
    pollfd wait = {fd_, POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(left * 1000) + 1) <= 0) continue;
    char bytes[65536];
    ssize_t count = recv(fd_, bytes, sizeof(bytes), 0);
    if (count > 0) {
      received_.append(bytes, static_cast<size_t>(count));
      return true;
    }
    ended_ = true;
  }
  return false;
}

std::string TestClient::ReadUntil(std::string_view marker, double seconds) {
  double deadline = MonotonicSeconds() + seconds;
  size_t at = std::string::npos;
  while ((at = received_.find(marker)) == std::string::npos && More(deadline)) {
  }
  size_t end = at == std::string::npos ? received_.size() : at + marker.size();
  std::string text = received_.substr(0, end);
  received_.erase(0, end);
  return text;
}

TestResponse TestClient::Read(double seconds, bool head_only) {
  double deadline = MonotonicSeconds() + seconds;
  auto take_line = [&](std::string& line) {
    line = ReadUntil("\r\n", deadline - MonotonicSeconds());
    if (line.size() < 2 || line.substr(line.size() - 2) != "\r\n") return false;
    line.resize(line.size() - 2);
    return true;
  };
  TestResponse response;
  std::string line;
  if (!take_line(line) || line.size() < 12) return response;
  response.status = std::atoi(line.c_str() + 9);
  while (take_line(line) && !line.empty()) {
    size_t colon = line.find(':');
    response.fields.emplace_back(line.substr(0, colon), std::string(TrimBlanks(line.substr(colon + 1))));
  }
  auto take = [&](size_t count) {
    while (received_.size() < count && More(deadline)) {
    }
    std::string bytes = received_.substr(0, count);
    received_.erase(0, count);
    response.complete = bytes.size() == count;
    return bytes;
  };
  if (head_only || response.status == 304 || response.status == 100) {
    response.complete = true;
  } else if (response.Field("Transfer-Encoding") == "chunked") {
    while (take_line(line)) {
      size_t size = std::strtoul(line.c_str(), nullptr, 16);
      response.body += take(size);
      std::string crlf = take(2);
      if (size == 0 || crlf.size() != 2) break;
      response.complete = false;
    }
  } else {
    response.body = take(std::strtoul(std::string(response.Field("Content-Length")).c_str(), nullptr, 10));
  }
  return response;
}

bool TestClient::Closed(double seconds) {
  double deadline = MonotonicSeconds() + seconds;
  while (received_.empty() && More(deadline)) {
  }
  return ended_ && received_.empty();
}

void TestClient::FinishSending() { shutdown(fd_, SHUT_WR); }

void TestClient::Reset() {
  linger hard = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
  close(fd_);
  fd_ = -1;
}

std::string GetRequest(std::string_view path, std::string_view more_fields) {
  return absl::StrCat("GET ", std::string(path), " HTTP/1.1\r\nHost: localhost\r\n", std::string(more_fields), "\r\n");
}

std::string PostRequest(std::string_view path, std::string_view body, std::string_view more_fields) {
  return absl::StrCat("POST ", std::string(path), " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
                      std::string(more_fields), "Content-Length: ", body.size(), "\r\n\r\n", std::string(body));
}

TestResponse Exchange(int port, std::string_view request) {
  TestClient client(port);
  client.Send(request);
  return client.Read(kPatienceSeconds, request.substr(0, 5) == "HEAD ");
}

}  // namespace quern
