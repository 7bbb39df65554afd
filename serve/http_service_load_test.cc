// Many clients, clients that leave, engines that stand still, deadlines, the end, and what the metrics say of it all.
#include <map>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/testing.h"
#include "gtest/gtest.h"
#include "serve/service_testing.h"

namespace quern {
namespace {

TEST_F(ServeTest, FiftyStreamsAtOnce) {
  Start();
  std::vector<TestClient> clients;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(server_->port())
        .Send(PostRequest("/api/generate", R"({"prompt": "a", "max_new_tokens": 40, "stream": true})"));
  }
  std::string expected;
  for (int i = 0; i < 40; ++i) absl::StrAppend(&expected, i, " ");
  for (TestClient& client : clients) {
    Events events = ReadEvents(client.Read().body);
    EXPECT_TRUE(events.done);
    EXPECT_EQ(events.text, expected);
  }
  EXPECT_EQ(Metric("quern_request_success_total{finished_reason=\"length\"}"), 50);
  EXPECT_EQ(Metric("quern_generation_tokens_total"), 2000);
}

TEST_F(ServeTest, AClientThatLeavesIsCancelledAlone) {
  Start();
  fake_->Pause(true);
  std::vector<TestClient> clients;
  for (const char* stream : {"true", "false", "true"}) {
    clients.emplace_back(server_->port())
        .Send(PostRequest("/api/generate",
                          absl::StrCat(R"({"prompt": "a", "max_new_tokens": 300, "stream": )", stream, "}")));
  }
  ASSERT_TRUE(Eventually([&] { return fake_->stats().running == 3; }));
  clients[0].Reset();
  clients[1].FinishSending();
  EXPECT_TRUE(Eventually([&] { return fake_->cancelling() == 2; }));
  fake_->Pause(false);
  EXPECT_TRUE(ReadEvents(clients[2].Read().body).done);
  EXPECT_EQ(fake_->cancelled(), 2);
  EXPECT_EQ(Metric("quern_clients_left_total"), 2);
  EXPECT_EQ(Metric("quern_request_success_total{finished_reason=\"abort\"}"), 2);
}

TEST_F(ServeTest, ReadinessIsARealTokenAndFailsWhenTheEngineStands) {
  options_.readiness_timeout = 0.5;
  Start();
  int64_t before = fake_->probes();
  EXPECT_EQ(Get("/readyz").status, 200);
  EXPECT_EQ(fake_->probes(), before + 1);
  EXPECT_EQ(Metric("quern_ready"), 1);
  server_->engine()->Pause(true);
  for (int i = 0; i < 3; ++i) {
    double start = MonotonicSeconds();
    TestResponse response = Get("/readyz");
    EXPECT_EQ(response.status, 503);
    EXPECT_LT(MonotonicSeconds() - start, 10);
    EXPECT_NE(Body(response)["reason"].get<std::string>().find("one token"), std::string::npos);
  }
  EXPECT_EQ(fake_->probes(), before + 2) << "a hung engine is probed once";
  EXPECT_EQ(Metric("quern_ready"), 0);
  EXPECT_EQ(Get("/livez").status, 200);
  EXPECT_EQ(Get("/healthz").status, 200);
  EXPECT_EQ(Get("/startupz").status, 200);
  server_->engine()->Pause(false);
  EXPECT_EQ(Get("/readyz").status, 200);
}

TEST_F(ServeTest, BusyIsStillReady) {
  FakeEngineOptions fake;
  fake.max_running = 1;
  fake.max_queue = 1;
  fake.step_seconds = 0.005;
  Start(fake);
  TestClient a(server_->port()), b(server_->port());
  a.Send(PostRequest("/api/generate", R"({"prompt": "a", "max_new_tokens": 1000000})"));
  b.Send(PostRequest("/api/generate", R"({"prompt": "a", "max_new_tokens": 1000000})"));
  ASSERT_TRUE(Eventually([&] { return fake_->stats().waiting == 1; }));
  EXPECT_EQ(Get("/readyz").status, 200);
  TestResponse refused = Post(R"({"prompt": "a"})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(Body(refused)["error"]["code"], "queue_full");
  EXPECT_GE(std::stoi(std::string(refused.Field("Retry-After"))), 1);
  EXPECT_EQ(Metric("quern_errors_total{code=\"queue_full\"}"), 1);
  EXPECT_EQ(Metric("quern_requests_waiting"), 1);
}

TEST_F(ServeTest, RequestsHaveADeadline) {
  options_.request_timeout = 0.2;
  options_.keep_alive_seconds = 0.05;
  Start();
  TestResponse response = Post(R"({"prompt": "a", "max_new_tokens": 1000000})");
  EXPECT_EQ(response.status, 504);
  EXPECT_TRUE(Eventually([&] { return fake_->cancelled() == 1; }));
  response = Post(R"({"prompt": "silent"})");
  EXPECT_EQ(response.status, 503);
  EXPECT_FALSE(response.Field("Retry-After").empty());
  response = Post(R"({"prompt": "a", "max_new_tokens": 1000000, "stream": true})");
  EXPECT_TRUE(response.complete);
  Events events = ReadEvents(response.body);
  EXPECT_FALSE(events.done);
  EXPECT_EQ(events.all.back()["error"]["code"], "timeout");
  response = Post(R"({"prompt": "silent", "stream": true})");
  EXPECT_NE(response.body.find(": waiting\n\n"), std::string::npos);
  EXPECT_EQ(ReadEvents(response.body).all.back()["error"]["code"], "timeout");
  // A hung engine does not hold its clients.
  server_->engine()->Pause(true);
  EXPECT_EQ(Post(R"({"prompt": "a"})").status, 503);
  server_->engine()->Pause(false);
  EXPECT_TRUE(Eventually([&] { return fake_->stats().running == 0; }));
}

TEST_F(ServeTest, ShutdownFinishesStreamsInFlight) {
  Start();
  fake_->Pause(true);  // so that none is finished before the last has come
  std::vector<TestClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(server_->port())
        .Send(PostRequest("/api/generate", absl::StrCat(R"({"prompt": "a", "max_new_tokens": 200, "stream": )",
                                                        i % 2 == 0 ? "true}" : "false}")));
  }
  ASSERT_TRUE(Eventually([&] { return fake_->stats().running == 20; }));
  fake_->Pause(false);
  int port = server_->port();
  EXPECT_TRUE(server_->Shutdown());
  for (int i = 0; i < 20; ++i) {
    TestResponse response = clients[static_cast<size_t>(i)].Read();
    EXPECT_EQ(response.status, 200);
    if (i % 2 == 0) {
      EXPECT_TRUE(ReadEvents(response.body).done);
    } else {
      EXPECT_EQ(Body(response)["usage"]["completion_tokens"], 200);
    }
    EXPECT_TRUE(clients[static_cast<size_t>(i)].Closed());
  }
  server_.reset();
  HttpServerOptions http;  // the port is free again
  http.port = port;
  EXPECT_TRUE(HttpServer::Listen(http, nullptr).ok());
}

TEST_F(ServeTest, ShutdownIsBounded) {
  options_.drain_timeout = 0.2;
  Start();
  TestClient stream(server_->port()), plain(server_->port());
  stream.Send(PostRequest("/api/generate", R"({"prompt": "a", "max_new_tokens": 1000000, "stream": true})"));
  plain.Send(PostRequest("/api/generate", R"({"prompt": "a", "max_new_tokens": 1000000})"));
  ASSERT_TRUE(Eventually([&] { return fake_->stats().running == 2; }));
  double start = MonotonicSeconds();
  EXPECT_FALSE(server_->Shutdown());
  server_.reset();
  EXPECT_LT(MonotonicSeconds() - start, 20);
  TestResponse cut = stream.Read();
  EXPECT_TRUE(cut.complete);
  EXPECT_EQ(ReadEvents(cut.body).all.back()["error"]["code"], "shutting_down");
  EXPECT_EQ(plain.Read().status, 503);
}

TEST_F(ServeTest, BodiesAreBounded) {
  options_.max_body_bytes = 1000;
  Start();
  EXPECT_EQ(Post(absl::StrCat(R"({"prompt": ")", std::string(2000, 'a'), "\"}")).status, 413);
  TestClient client(server_->port());
  client.Send("POST /api/generate HTTP/1.1\r\nHost: x\r\nContent-Length: 2147483648\r\n\r\n{");
  EXPECT_EQ(client.Read().status, 413);
  EXPECT_TRUE(client.Closed());
  EXPECT_EQ(Metric("quern_errors_total{code=\"body_too_large\"}"), 2);
}

// Prometheus' text format, line by line: HELP and TYPE before the samples of a name, each name once, histograms whole.
TEST_F(ServeTest, MetricsAreWellFormed) {
  Start();
  Post(R"({"prompt": "abc", "max_new_tokens": 7})");
  Post("{");
  Get("/nothing");
  TestResponse response = Get("/metrics");
  EXPECT_EQ(response.Field("Content-Type"), "text/plain; version=0.0.4; charset=utf-8");
  std::map<std::string, std::string> types;
  std::map<std::string, double> samples;
  std::istringstream lines(response.body);
  std::string current;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string hash, kind, name, type;
    if (line.rfind("# TYPE ", 0) == 0) {
      words >> hash >> kind >> name >> type;
      EXPECT_TRUE(types.emplace(name, type).second) << "twice: " << name;
      current = name;
    } else if (line.rfind("# HELP ", 0) != 0) {
      size_t space = line.rfind(' ');
      ASSERT_NE(space, std::string::npos) << line;
      EXPECT_EQ(line.rfind(current, 0), 0u) << line << " under " << current;
      EXPECT_TRUE(samples.emplace(line.substr(0, space), std::stod(line.substr(space + 1))).second) << line;
    }
  }
  EXPECT_EQ(samples["quern_http_requests_total{method=\"POST\",path=\"/api/generate\",status=\"200\"}"], 1);
  EXPECT_EQ(samples["quern_http_requests_total{method=\"GET\",path=\"other\",status=\"404\"}"], 1);
  EXPECT_EQ(samples["quern_errors_total{code=\"malformed_json\"}"], 1);
  EXPECT_EQ(samples["quern_prompt_tokens_total"], 3);
  EXPECT_EQ(samples["quern_generation_tokens_total"], 7);
  EXPECT_EQ(samples["quern_request_generation_tokens_bucket{le=\"10\"}"], 1);
  EXPECT_EQ(samples["quern_request_generation_tokens_sum"], 7);
  EXPECT_EQ(samples["quern_inter_token_latency_seconds_count"], 6);
  EXPECT_EQ(samples["quern_time_to_first_token_seconds_count"], 1);
  EXPECT_EQ(samples["vllm:generation_tokens_total{model_name=\"tiny\"}"], 7);
  EXPECT_EQ(samples["vllm:e2e_request_latency_seconds_count{model_name=\"tiny\"}"], 1);
  EXPECT_EQ(samples["vllm:request_success_total{finished_reason=\"length\",model_name=\"tiny\"}"], 1);
  EXPECT_EQ(types["vllm:time_to_first_token_seconds"], "histogram");
  EXPECT_EQ(types["vllm:num_requests_running"], "gauge");
}

}  // namespace
}  // namespace quern
