// What the API and the page answer, with a fake engine. With a real model: server_test.cc.
#include "serve/http_service.h"

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/json.h"
#include "base/testing.h"
#include "gtest/gtest.h"
#include "serve/service_testing.h"

namespace quern {
namespace {

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
  const std::string fixtures = FixturesFolder();
  if (fixtures.empty()) GTEST_SKIP() << kNoFixtures;
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

}  // namespace
}  // namespace quern
