// A blocking client for tests of servers: raw bytes out, answers in.
#ifndef QUERN_SERVE_HTTP_TESTING_H_
#define QUERN_SERVE_HTTP_TESTING_H_

#include <string>
#include <string_view>
#include <vector>

#include "serve/http/message.h"

namespace quern {

struct TestResponse {
  int status = 0;  // 0: no answer came
  HttpFields fields;
  std::string body;  // of a chunked answer, put together
  bool complete = false;

  std::string_view Field(std::string_view name) const { return FindField(fields, name); }
};

// Deadlines are for tests that fail: longer than a loaded machine under a sanitizer needs.
constexpr double kPatienceSeconds = 60;

class TestClient {
 public:
  // CHECKs that 127.0.0.1:`port` accepts.
  explicit TestClient(int port);
  ~TestClient();
  TestClient(TestClient&& other) noexcept;
  TestClient(const TestClient&) = delete;

  // False where the server has closed.
  bool Send(std::string_view bytes);
  // What arrives within `seconds`, at most until `marker` has been seen; "" on end of input.
  std::string ReadUntil(std::string_view marker, double seconds = kPatienceSeconds);
  // One answer with its body (none for `head_only`).
  TestResponse Read(double seconds = kPatienceSeconds, bool head_only = false);
  // Whether the server closes the connection within `seconds`, with nothing more said.
  bool Closed(double seconds = kPatienceSeconds);
  void FinishSending();
  // Closes with a reset, as a client that crashed.
  void Reset();
  int fd() const { return fd_; }

 private:
  bool More(double deadline);

  int fd_ = -1;
  std::string received_;
  bool ended_ = false;
};

std::string GetRequest(std::string_view path, std::string_view more_fields = "");
std::string PostRequest(std::string_view path, std::string_view body, std::string_view more_fields = "");
// One exchange on a connection of its own.
TestResponse Exchange(int port, std::string_view request);

// A request that must be refused (or not), for tests of the framing and of the server around it.
struct FramingCase {
  std::string name;
  std::string request;
  int status = 0;           // 200: a whole request
  bool keeps_open = false;  // whether the connection survives the answer
};
std::vector<FramingCase> FramingCases();

}  // namespace quern

#endif  // QUERN_SERVE_HTTP_TESTING_H_
