#include "serve/http/http_server.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/testing.h"
#include "gtest/gtest.h"
#include "serve/http/testing.h"

namespace quern {
namespace {

using std::chrono::milliseconds;

// Routes: "/stream" streams until told to stop, "/hold" never answers, "/drop" forgets the responder, "/big" answers
// with a megabyte, all else echoes the body.
class ServerTest : public testing::Test {
 protected:
  void Serve(HttpServerOptions options = {}) {
    options.port = 0;
    options.on_record = [this](const HttpRecord& record) {
      std::lock_guard<std::mutex> lock(mutex_);
      records_.push_back(record);
    };
    auto server = HttpServer::Listen(options, [this](HttpRequest request, std::shared_ptr<Responder> responder) {
      Answer(std::move(request), std::move(responder));
    });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    server_->Start();
  }

  void Answer(HttpRequest request, std::shared_ptr<Responder> responder) {
    responder->SetRoute(request.path);
    HttpResponse response;
    response.content_type = "text/plain";
    if (request.path == "/drop") return;
    if (request.path == "/hold" || request.path == "/stream") {
      if (request.path == "/stream") {
        responder->StartStream(response);
        responder->Write("first\n");
      }
      responder->OnDisconnect([this] { ++left_; });
      std::lock_guard<std::mutex> lock(mutex_);
      held_.push_back(responder);
      return;
    }
    response.body = request.path == "/big" ? std::string(1 << 20, 'b') : request.body;
    responder->Send(response);
  }

  size_t held() {
    std::lock_guard<std::mutex> lock(mutex_);
    return held_.size();
  }

  std::shared_ptr<Responder> Held(size_t i) {
    std::lock_guard<std::mutex> lock(mutex_);
    return held_.at(i);
  }

  std::vector<HttpRecord> Records() {
    std::lock_guard<std::mutex> lock(mutex_);
    return records_;
  }

  void TearDown() override {
    server_.reset();
    held_.clear();
  }

  std::mutex mutex_;
  std::vector<std::shared_ptr<Responder>> held_;
  std::vector<HttpRecord> records_;
  std::atomic<int> left_{0};
  std::unique_ptr<HttpServer> server_;
};

TEST_F(ServerTest, FramingTable) {
  Serve();
  for (const FramingCase& c : FramingCases()) {
    TestClient client(server_->port());
    client.Send(c.request);
    TestResponse response = client.Read();
    EXPECT_EQ(response.status, c.status) << c.name << ": " << response.body;
    EXPECT_TRUE(response.complete) << c.name;
    EXPECT_EQ(response.Field("Connection"), c.keeps_open ? "keep-alive" : "close") << c.name;
    if (c.keeps_open) {
      client.Send(PostRequest("/", "again"));
      EXPECT_EQ(client.Read().body, "again") << c.name;
    } else {
      EXPECT_TRUE(client.Closed()) << c.name;
    }
  }
}

TEST_F(ServerTest, HugeBodyIsRefusedAtOnce) {
  Serve();
  double start = MonotonicSeconds();
  TestClient client(server_->port());
  client.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\n");
  std::string megabyte(1 << 20, 'x');
  for (int i = 0; i < 32 && client.Send(megabyte); ++i) {
  }
  EXPECT_EQ(client.Read().status, 413);  // not destroyed by a reset, although the client went on sending
  EXPECT_LT(MonotonicSeconds() - start, 5);
}

TEST_F(ServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Serve();
  TestClient client(server_->port());
  std::string all;
  for (int i = 0; i < 50; ++i) all += PostRequest("/", std::to_string(i));
  client.Send(all);
  client.FinishSending();
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.Read().body, std::to_string(i));
  EXPECT_TRUE(client.Closed());
}

TEST_F(ServerTest, HeadHasNoBody) {
  Serve();
  TestClient client(server_->port());
  client.Send("HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc");
  TestResponse response = client.Read(kPatienceSeconds, /*head_only=*/true);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Field("Content-Length"), "3");
  client.Send(PostRequest("/", "next"));
  EXPECT_EQ(client.Read().body, "next");
}

TEST_F(ServerTest, ExpectContinue) {
  Serve();
  TestClient client(server_->port());
  client.Send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(client.Read().status, 100);
  client.Send("abc");
  EXPECT_EQ(client.Read().body, "abc");
}

TEST_F(ServerTest, EveryAnswerIsGuarded) {
  Serve();
  TestResponse response = Exchange(server_->port(), GetRequest("/", "X-Request-Id: my-id.1\r\n"));
  EXPECT_EQ(response.Field("X-Request-Id"), "my-id.1");
  EXPECT_EQ(response.Field("X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(response.Field("Referrer-Policy"), "no-referrer");
  EXPECT_NE(response.Field("Content-Security-Policy").find("frame-ancestors 'none'"), std::string_view::npos);
  EXPECT_FALSE(response.Field("Date").empty());
  response = Exchange(server_->port(), GetRequest("/", "X-Request-Id: <script>\r\n"));
  EXPECT_EQ(response.Field("X-Request-Id").find('<'), std::string_view::npos);
}

TEST_F(ServerTest, SlowClientsMeetDeadlines) {
  HttpServerOptions options;
  options.head_timeout = options.body_timeout = 0.2;
  Serve(options);
  TestClient head(server_->port()), body(server_->port());
  body.Send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc");
  for (char c : std::string("GET / HT")) {  // a byte now and then does not help
    head.Send(std::string(1, c));
    std::this_thread::sleep_for(milliseconds(40));
  }
  EXPECT_EQ(head.Read().status, 408);
  EXPECT_EQ(body.Read().status, 408);
}

TEST_F(ServerTest, IdleConnectionsAreClosedWithoutAWord) {
  HttpServerOptions options;
  options.idle_timeout = 0.2;
  Serve(options);
  TestClient client(server_->port());
  EXPECT_TRUE(client.Closed());
}

TEST_F(ServerTest, ClientsThatDoNotReadAreDropped) {
  HttpServerOptions options;
  options.write_timeout = 0.3;
  Serve(options);
  TestClient client(server_->port());
  int small = 4096;
  setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  client.Send(GetRequest("/big"));
  ASSERT_TRUE(Eventually([&] { return !Records().empty(); }));
  EXPECT_EQ(Records()[0].route, "/big");
  EXPECT_TRUE(Eventually([&] { return server_->connections() == 0; }));
}

TEST_F(ServerTest, StreamToAClientThatDoesNotReadIsBounded) {
  HttpServerOptions options;
  options.max_pending_bytes = 64 << 10;
  Serve(options);
  TestClient client(server_->port());
  int small = 4096;
  setsockopt(client.fd(), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  client.Send(GetRequest("/stream"));
  ASSERT_TRUE(Eventually([&] { return held() == 1; }));
  for (int i = 0; i < 100 && left_ == 0; ++i) {
    Held(0)->Write(std::string(64 << 10, 's'));
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_TRUE(Eventually([&] { return left_ == 1; }));
  EXPECT_TRUE(Records().at(0).client_left);
}

TEST_F(ServerTest, StreamsArriveInOrderAndEnd) {
  Serve();
  TestClient client(server_->port());
  client.Send(GetRequest("/stream"));
  ASSERT_TRUE(Eventually([&] { return held() == 1; }));
  std::string expected = "first\n";
  for (int i = 0; i < 1000; ++i) {
    std::string line = std::to_string(i) + "\n";
    Held(0)->Write(line);
    expected += line;
  }
  Held(0)->Finish();
  Held(0)->Write("too late");
  TestResponse response = client.Read();
  EXPECT_TRUE(response.complete);
  EXPECT_EQ(response.body, expected);
  client.Send(PostRequest("/", "next"));
  EXPECT_EQ(client.Read().body, "next");
}

TEST_F(ServerTest, NoticesClientsThatLeave) {
  Serve();
  for (const char* path : {"/stream", "/hold"}) {
    const int before = left_;
    TestClient quiet(server_->port()), crashed(server_->port());
    quiet.Send(GetRequest(path));
    crashed.Send(GetRequest(path));
    ASSERT_TRUE(Eventually([&] { return held() == static_cast<size_t>(before) + 2; }));
    crashed.Reset();
    quiet.FinishSending();
    EXPECT_TRUE(Eventually([&] { return left_ == before + 2; })) << path;
  }
  EXPECT_TRUE(Eventually([&] { return server_->connections() == 0; }));
}

TEST_F(ServerTest, AForgottenAnswerIsA500) {
  Serve();
  EXPECT_EQ(Exchange(server_->port(), GetRequest("/drop")).status, 500);
}

TEST_F(ServerTest, TimersOfAnEndedAnswerDoNotFire) {
  Serve();
  std::atomic<int> fired{0};
  TestClient client(server_->port());
  client.Send(GetRequest("/hold"));
  ASSERT_TRUE(Eventually([&] { return held() == 1; }));
  Held(0)->After(0.05, [&] { ++fired; });
  Held(0)->After(0.15, [&] { fired += 100; });
  EXPECT_TRUE(Eventually([&] { return fired == 1; }));
  Held(0)->Send({});
  EXPECT_EQ(client.Read().status, 200);
  std::this_thread::sleep_for(milliseconds(250));
  EXPECT_EQ(fired, 1);
}

TEST_F(ServerTest, ConnectionsBeyondTheLimitAreTurnedAway) {
  HttpServerOptions options;
  options.max_connections = 2;
  Serve(options);
  TestClient a(server_->port()), b(server_->port());
  ASSERT_TRUE(Eventually([&] { return server_->connections() == 2; }));
  TestClient c(server_->port());
  TestResponse refused = c.Read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.Field("Retry-After"), "1");
  a.Send(PostRequest("/", "still served"));
  EXPECT_EQ(a.Read().body, "still served");
}

TEST_F(ServerTest, ABusyPortIsNamed) {
  Serve();
  HttpServerOptions options;
  options.port = server_->port();
  auto second = HttpServer::Listen(options, [](HttpRequest, std::shared_ptr<Responder>) {});
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(second.status().message()).find(std::to_string(server_->port())), std::string::npos);
  options.host = "no such host.";
  EXPECT_EQ(HttpServer::Listen(options, nullptr).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ServerTest, DrainFinishesWhatIsUnderWay) {
  Serve();
  TestClient streaming(server_->port()), idle(server_->port());
  streaming.Send(GetRequest("/stream"));
  ASSERT_TRUE(Eventually([&] { return held() == 1; }));
  std::thread end([&] {
    std::this_thread::sleep_for(milliseconds(200));
    Held(0)->Write("last\n");
    Held(0)->Finish();
  });
  EXPECT_TRUE(server_->Drain(10));
  end.join();
  TestResponse response = streaming.Read();
  EXPECT_TRUE(response.complete);
  EXPECT_EQ(response.body, "first\nlast\n");
  EXPECT_TRUE(streaming.Closed());
  EXPECT_TRUE(idle.Closed());
}

TEST_F(ServerTest, DrainGivesUp) {
  Serve();
  TestClient client(server_->port());
  client.Send(GetRequest("/stream"));
  ASSERT_TRUE(Eventually([&] { return held() == 1; }));
  EXPECT_FALSE(server_->Drain(0.1));
  server_.reset();
  EXPECT_EQ(left_, 1);
  EXPECT_FALSE(client.Read().complete);
}

TEST_F(ServerTest, ThousandsOfStreams) {
  constexpr size_t kStreams = 2000;
  rlimit files = {};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  if (files.rlim_cur < 2 * kStreams + 100) GTEST_SKIP() << "this machine allows too few open files";
  Serve();
  std::vector<TestClient> clients;
  for (size_t i = 0; i < kStreams; ++i) clients.emplace_back(server_->port()).Send(GetRequest("/stream"));
  ASSERT_TRUE(Eventually([&] { return held() == kStreams; }));
  for (int token = 0; token < 10; ++token) {
    for (size_t i = 0; i < kStreams; ++i) Held(i)->Write("token\n");
  }
  for (size_t i = 0; i < kStreams; ++i) Held(i)->Finish();
  for (TestClient& client : clients) {
    TestResponse response = client.Read();
    EXPECT_TRUE(response.complete);
    EXPECT_EQ(response.body.size(), 6u * 11);
  }
}

}  // namespace
}  // namespace quern
