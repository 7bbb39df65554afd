// Everything around the engine, with a fake one. With a real model: server_test.cc.
#include "serve/http_service.h"

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "gtest/gtest.h"
#include "serve/http/testing.h"
#include "serve/testing.h"

namespace quern {
namespace {

bool Eventually(const std::function<bool()>& condition, double seconds = 10) {
  for (double end = MonotonicSeconds() + seconds; MonotonicSeconds() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

struct Events {
  std::string text;
  std::vector<Json> all;
  bool done = false;
};

// The data of a stream of events.
Events ReadEvents(const std::string& body) {
  Events events;
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("data: ", 0) != 0) continue;
    if (line == "data: [DONE]") {
      events.done = true;
      continue;
    }
    EXPECT_FALSE(events.done);
    auto json = ParseJson(line.substr(6), "event");
    EXPECT_TRUE(json.ok()) << line;
    if (!json.ok()) continue;
    if (json->contains("text")) events.text += (*json)["text"].get<std::string>();
    events.all.push_back(*json);
  }
  return events;
}

class ServeTest : public testing::Test {
 protected:
  ServeTest() {
    options_.port = 0;
    model_.name = "tiny";
    model_.sha256 = std::string(64, 'a');
    model_.verdict = "PASSED";
    model_.max_positions = 256;
  }

  void Start(const FakeEngineOptions& fake = {}, const HttpServerOptions& http = {}) {
    auto engine = std::make_unique<FakeEngine>(fake);
    fake_ = engine.get();
    auto server = HttpService::Start(
        options_, model_, [&](ServedModel&) -> absl::StatusOr<std::unique_ptr<Engine>> { return std::move(engine); },
        http);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
  }

  TestResponse Get(const std::string& path, const std::string& fields = "") {
    return Exchange(server_->port(), GetRequest(path, fields));
  }
  TestResponse Post(const std::string& body, const std::string& fields = "") {
    return Exchange(server_->port(), PostRequest("/api/generate", body, fields));
  }
  // The value of a sample line, "quern_x{a=\"b\"}".
  double Metric(const std::string& name) {
    std::istringstream lines(Get("/metrics").body);
    for (std::string line; std::getline(lines, line);) {
      if (line.rfind(name + " ", 0) == 0) return std::stod(line.substr(name.size() + 1));
    }
    return -1;
  }

  ServeOptions options_;
  ServedModel model_;
  FakeEngine* fake_ = nullptr;
  std::unique_ptr<HttpService> server_;
};

Json Body(const TestResponse& response) {
  auto json = ParseJson(response.body, "body");
  EXPECT_TRUE(json.ok()) << response.body;
  return json.ok() ? *json : Json::object();
}

TEST_F(ServeTest, AnswersInJson) {
  Start();
  TestResponse response = Post(R"({"prompt": "abc", "max_new_tokens": 3, "seed": 5, "temperature": 0.8})");
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(response.Field("Content-Type"), "application/json");
  EXPECT_EQ(response.Field("Cache-Control"), "no-store");
  Json json = Body(response);
  EXPECT_EQ(json["text"], "0 1 2 ");
  EXPECT_EQ(json["finish_reason"], "length");
  EXPECT_EQ(json["usage"], (Json{{"prompt_tokens", 3}, {"completion_tokens", 3}, {"total_tokens", 6}}));
  EXPECT_EQ(json["model"], (Json{{"name", "tiny"}, {"sha256", model_.sha256}, {"verdict", "PASSED"}}));
  EXPECT_EQ(json["settings"]["seed"], 5);
  EXPECT_EQ(json["settings"]["temperature"].dump(), "0.8");
  EXPECT_GT(json["timings"]["total_seconds"], 0);
  EXPECT_GT(json["timings"]["tokens_per_second"], 0);
  json = Body(Post(R"({"prompt": "abc", "stop": ["2"]})"));
  EXPECT_EQ(json["text"], "0 1 ");
  EXPECT_EQ(json["finish_reason"], "stop");
  EXPECT_EQ(json["settings"]["max_new_tokens"], 128);
}

TEST_F(ServeTest, StreamsEvents) {
  Start();
  TestResponse response = Post(R"({"prompt": "abc", "max_new_tokens": 5, "stream": true})");
  ASSERT_EQ(response.status, 200);
  EXPECT_TRUE(response.complete);
  EXPECT_EQ(response.Field("Content-Type"), "text/event-stream; charset=utf-8");
  Events events = ReadEvents(response.body);
  EXPECT_TRUE(events.done);
  EXPECT_EQ(events.text, "0 1 2 3 4 ");
  ASSERT_EQ(events.all.size(), 6u);
  EXPECT_EQ(events.all[0]["text"], "0 ");
  EXPECT_EQ(events.all[5]["finish_reason"], "length");
  EXPECT_EQ(events.all[5]["usage"]["completion_tokens"], 5);
  EXPECT_EQ(events.all[5]["model"]["verdict"], "PASSED");
}

TEST_F(ServeTest, EventsArriveWhileTheyAreMade) {
  FakeEngineOptions slow;
  slow.step_seconds = 0.02;
  Start(slow);
  TestClient client(server_->port());
  client.Send(PostRequest("/api/generate", R"({"prompt": "a", "max_new_tokens": 200, "stream": true})"));
  EXPECT_NE(client.ReadUntil("data: {\"text\":\"1 \"", 2).find("\"0 \""), std::string::npos) << "held back";
}

TEST_F(ServeTest, RefusesBadContent) {
  Start();
  EXPECT_EQ(Post("{").status, 400);
  EXPECT_EQ(Post("").status, 400);
  EXPECT_EQ(Post("[]").status, 422);
  TestResponse response = Post(R"({"prompt": "a", "temprature": 1})");
  EXPECT_EQ(response.status, 422);
  Json error = Body(response)["error"];
  EXPECT_EQ(error["code"], "unknown_field");
  EXPECT_EQ(error["field"], "temprature");
  EXPECT_EQ(error["request_id"], std::string(response.Field("X-Request-Id")));
  EXPECT_EQ(Post("{}", "Content-Encoding: gzip\r\n").status, 400);
  auto with_type = [&](const std::string& type) {
    std::string body = R"({"prompt": "a", "max_new_tokens": 1})";
    return Exchange(server_->port(), absl::StrCat("POST /api/generate HTTP/1.1\r\nHost: x\r\n", type,
                                                  "Content-Length: ", body.size(), "\r\n\r\n", body))
        .status;
  };
  EXPECT_EQ(with_type(""), 200);
  EXPECT_EQ(with_type("Content-Type: application/json; charset=utf-8\r\n"), 200);
  EXPECT_EQ(with_type("Content-Type: application/x-www-form-urlencoded\r\n"), 200);
  EXPECT_EQ(with_type("Content-Type: text/plain\r\n"), 400);
  EXPECT_EQ(with_type("Content-Type: multipart/form-data; boundary=x\r\n"), 400);
  EXPECT_EQ(with_type("Origin: http://evil.com\r\n"), 403);
  EXPECT_EQ(with_type("Origin: http://x\r\n"), 403);
}

TEST_F(ServeTest, OutsideJsonThroughHttp) {
  const char* fixtures = std::getenv("QUERN_FIXTURES");
  if (fixtures == nullptr) GTEST_SKIP() << "QUERN_FIXTURES is not set";
  Start();
  TestClient client(server_->port());
  auto names = ListFolder(JoinPath(fixtures, "negative/json"));
  ASSERT_TRUE(names.ok());
  for (const std::string& name : *names) {
    auto text = ReadFile(JoinPath(JoinPath(fixtures, "negative/json"), name));
    ASSERT_TRUE(text.ok());
    client.Send(PostRequest("/api/generate", *text));
    TestResponse response = client.Read();
    EXPECT_TRUE(response.status == 400 || response.status == 422) << name << " " << response.status;
  }
}

TEST_F(ServeTest, TheEnginesRefusalNamesTheField) {
  Start();
  for (const char* stream : {"false", "true"}) {
    TestResponse response = Post(absl::StrCat(R"({"prompt": "refuse", "stream": )", stream, "}"));
    EXPECT_EQ(response.status, 422);
    EXPECT_EQ(Body(response)["error"]["field"], "prompt");
  }
}

TEST_F(ServeTest, FailuresDoNotLeakTheirReason) {
  Start();
  TestResponse response = Post(R"({"prompt": "boom"})");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.body.find("secret"), std::string::npos);
  response = Post(R"({"prompt": "boom", "stream": true})");
  EXPECT_EQ(response.status, 200);
  EXPECT_TRUE(response.complete);
  Events events = ReadEvents(response.body);
  EXPECT_FALSE(events.done);
  EXPECT_EQ(events.all.back()["error"]["code"], "internal");
  EXPECT_NE(response.body.find("event: error"), std::string::npos);
  EXPECT_EQ(response.body.find("secret"), std::string::npos);
}

TEST_F(ServeTest, MethodsAndPaths) {
  Start();
  TestResponse response = Get("/api/generate");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.Field("Allow"), "POST");
  for (const char* method : {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"}) {
    for (const char* path : {"/", "/livez", "/metrics", "/v1/models"}) {
      TestResponse other = Exchange(server_->port(), absl::StrCat(method, " ", path, " HTTP/1.1\r\nHost: x\r\n\r\n"));
      EXPECT_EQ(other.status, 405) << method << " " << path;
      EXPECT_EQ(other.Field("Allow"), "GET, HEAD");
    }
  }
  for (const char* path : {"/nothing", "/api", "/api/generate/", "//", "/../etc/passwd", "/%2e%2e/x", "/assets/x.js"}) {
    EXPECT_EQ(Get(path).status, 404) << path;
  }
  EXPECT_EQ(Get("/livez?x=1").status, 200);
  TestResponse head = Exchange(server_->port(), "HEAD /v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_NE(head.Field("Content-Length"), "0");
}

TEST_F(ServeTest, ThePageIsWholeAndGuarded) {
  Start();
  TestResponse page = Get("/");
  ASSERT_EQ(page.status, 200);
  EXPECT_EQ(page.Field("Content-Type"), "text/html; charset=utf-8");
  std::string policy(page.Field("Content-Security-Policy"));
  EXPECT_NE(policy.find("default-src 'none'"), std::string::npos);
  EXPECT_EQ(policy.find("unsafe"), std::string::npos);
  EXPECT_EQ(page.body.find("{{"), std::string::npos);
  // What a strict policy would block anyway, and what would not work offline.
  for (const char* never : {"<style", "style=", "onclick", "onload", "javascript:", "src=\"http", "href=\"http"}) {
    EXPECT_EQ(page.body.find(never), std::string::npos) << never;
  }
  size_t files = 0;
  for (size_t at = 0; (at = page.body.find("\"/assets/", at)) != std::string::npos; ++at, ++files) {
    std::string path = page.body.substr(at + 1, page.body.find('"', at + 1) - at - 1);
    TestResponse asset = Get(path);
    EXPECT_EQ(asset.status, 200) << path;
    EXPECT_NE(asset.Field("Cache-Control").find("immutable"), std::string_view::npos);
    TestResponse again = Get(path, absl::StrCat("If-None-Match: ", std::string(asset.Field("ETag")), "\r\n"));
    EXPECT_EQ(again.status, 304);
    EXPECT_EQ(again.body, "");
    TestResponse small = Get(path, "Accept-Encoding: br, gzip\r\n");
    EXPECT_EQ(small.Field("Content-Encoding"), "gzip");
    EXPECT_EQ(small.body.substr(0, 2), "\x1f\x8b");
    EXPECT_TRUE(Get(path, "Accept-Encoding: gzip;q=0\r\n").Field("Content-Encoding").empty());
  }
  EXPECT_GE(files, 3u);
}

TEST_F(ServeTest, ModelsListTellsTheVerdict) {
  model_.verdict = "UNVERIFIED";
  model_.verdict_reason = "it has no verdict";
  Start();
  Json json = Body(Get("/v1/models"));
  EXPECT_EQ(json["object"], "list");
  ASSERT_EQ(json["data"].size(), 1u);
  EXPECT_EQ(json["data"][0]["id"], "tiny");
  EXPECT_EQ(json["data"][0]["object"], "model");
  EXPECT_EQ(json["data"][0]["owned_by"], "quern");
  EXPECT_TRUE(json["data"][0]["created"].is_number_integer());
  EXPECT_EQ(json["data"][0]["verdict"], "UNVERIFIED");
  EXPECT_EQ(json["data"][0]["verdict_reason"], "it has no verdict");
  EXPECT_EQ(Body(Post(R"({"prompt": "a"})"))["model"]["verdict"], "UNVERIFIED");
}

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
  std::vector<TestClient> clients;
  for (const char* stream : {"true", "false", "true"}) {
    clients.emplace_back(server_->port())
        .Send(PostRequest("/api/generate",
                          absl::StrCat(R"({"prompt": "a", "max_new_tokens": 300, "stream": )", stream, "}")));
  }
  ASSERT_TRUE(Eventually([&] { return fake_->stats().running == 3; }));
  clients[0].Reset();
  clients[1].FinishSending();
  EXPECT_TRUE(Eventually([&] { return fake_->cancelled() == 2; }));
  EXPECT_TRUE(ReadEvents(clients[2].Read().body).done);
  EXPECT_EQ(fake_->cancelled(), 2);
  EXPECT_EQ(Metric("quern_clients_left_total"), 2);
  EXPECT_EQ(Metric("quern_request_success_total{finished_reason=\"abort\"}"), 2);
}

TEST_F(ServeTest, ReadinessIsARealTokenAndFailsWhenTheEngineStands) {
  options_.readiness_timeout = 0.2;
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
    EXPECT_LT(MonotonicSeconds() - start, 2);
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
  std::vector<TestClient> clients;
  for (int i = 0; i < 20; ++i) {
    clients.emplace_back(server_->port())
        .Send(PostRequest("/api/generate", absl::StrCat(R"({"prompt": "a", "max_new_tokens": 200, "stream": )",
                                                        i % 2 == 0 ? "true}" : "false}")));
  }
  ASSERT_TRUE(Eventually([&] { return fake_->stats().running == 20; }));
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
  EXPECT_LT(MonotonicSeconds() - start, 3);
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
