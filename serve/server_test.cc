// From a model folder to answers on the wire, with real models.
#include "serve/server.h"

#include <fstream>
#include <sstream>
#include <thread>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/json.h"
#include "base/lineage.h"
#include "base/sha256.h"
#include "base/testing.h"
#include "gtest/gtest.h"
#include "nn/model_folder.h"
#include "nn/testing.h"
#include "serve/http/testing.h"
#include "serve/model_testing.h"
#include "serve/open_model.h"

namespace quern {
namespace {

// The texts of a stream's events, one after another, when it came to its [DONE].
std::string StreamText(const std::string& body) {
  std::string text;
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);) {
    if (line == "data: [DONE]") return text;
    if (line.rfind("data: ", 0) == 0) text += (*ParseJson(line.substr(6), "event"))["text"].get<std::string>();
  }
  return "(not done) " + text;
}

Json Body(const TestResponse& response) {
  auto json = ParseJson(response.body, "body");
  return json.ok() ? *json : Json(response.body);
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() : folder_(MakeTestModelFolder("served")) {
    options_.model_name = folder_;
    options_.port = 0;
  }
  ~ServerTest() override { SimulateInterrupt(0); }

  void Start() {
    auto server = StartServer(options_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
  }
  void StartJudged() {
    JudgeTestModel(folder_);
    Start();
  }
  TestResponse Post(const Json& body) {
    return Exchange(server_->port(), PostRequest("/api/generate", WriteJsonLine(body)));
  }
  TestResponse Get(const std::string& path) { return Exchange(server_->port(), GetRequest(path)); }

  std::string folder_;
  ServeOptions options_;
  std::unique_ptr<HttpService> server_;
};

TEST_F(ServerTest, GreedyTextIsThatOfGenerate) {
  StartJudged();
  auto model = *LoadModel(folder_);
  for (const std::string prompt : {"Once upon a time", "x", "In the beginning God created the heaven and the earth."}) {
    const ReferenceAnswer expected = GenerateAlone(*model, TestTokenizer(), prompt, 60);
    Json json = Body(Post({{"prompt", prompt}, {"max_new_tokens", 60}}));
    EXPECT_EQ(json["text"], expected.text);
    EXPECT_EQ(json["finish_reason"], expected.finish_reason);
    EXPECT_EQ(json["usage"]["completion_tokens"], expected.completion_tokens);
    EXPECT_EQ(json["model"]["sha256"], *Sha256File(folder_ + "/model.safetensors"));
    EXPECT_EQ(json["model"]["verdict"], "PASSED");
    EXPECT_EQ(json["model"]["name"], "served");
    EXPECT_EQ(StreamText(Post({{"prompt", prompt}, {"max_new_tokens", 60}, {"stream", true}}).body), expected.text);
  }
}

TEST_F(ServerTest, TheSameSeedGivesTheSameTextUnderLoad) {
  StartJudged();
  auto ask = [](int i) {
    return Json{{"prompt", absl::StrCat("Prompt ", i % 5)},
                {"max_new_tokens", 80},
                {"temperature", 0.9},
                {"top_k", 40},
                {"top_p", 0.95},
                {"seed", i % 7},
                {"stream", i % 2 == 0}};
  };
  auto text_of = [](const TestResponse& response, int i) {
    return i % 2 == 0 ? StreamText(response.body) : Body(response)["text"].get<std::string>();
  };
  std::vector<std::string> alone;
  for (int i = 0; i < 50; ++i) alone.push_back(text_of(Post(ask(i)), i));
  EXPECT_NE(alone[0], alone[5]) << "seeds make no difference";
  EXPECT_EQ(alone[0], alone[35]);
  std::vector<TestClient> clients, leaving;
  for (int i = 0; i < 50; ++i) {
    clients.emplace_back(server_->port()).Send(PostRequest("/api/generate", WriteJsonLine(ask(i))));
    if (i % 5 != 0) continue;
    leaving.emplace_back(server_->port()).Send(PostRequest("/api/generate", WriteJsonLine(ask(i + 1))));
  }
  for (TestClient& client : leaving) client.Reset();
  for (int i = 0; i < 50; ++i)
    EXPECT_EQ(text_of(clients[static_cast<size_t>(i)].Read(60), i), alone[static_cast<size_t>(i)]);
  EXPECT_TRUE(Eventually([&] { return server_->engine()->stats().cache_blocks_used == 0; }));
}

TEST_F(ServerTest, StopStringsAreLeftOut) {
  StartJudged();
  const std::string whole = Body(Post({{"prompt", "abc"}, {"max_new_tokens", 60}}))["text"];
  const std::string stop = whole.substr(20, 2);
  for (bool stream : {false, true}) {
    TestResponse response = Post({{"prompt", "abc"}, {"max_new_tokens", 60}, {"stop", stop}, {"stream", stream}});
    EXPECT_EQ(stream ? StreamText(response.body) : Body(response)["text"].get<std::string>(),
              whole.substr(0, whole.find(stop)));
    EXPECT_NE(response.body.find("\"finish_reason\":\"stop\""), std::string::npos);
  }
}

TEST_F(ServerTest, WithoutAMatchingVerdictItDoesNotStart) {
  auto refusal = [&] {
    auto server = StartServer(options_);
    EXPECT_EQ(server.status().code(), absl::StatusCode::kFailedPrecondition) << server.status();
    return std::string(server.status().message());
  };
  EXPECT_NE(refusal().find("it has no verdict"), std::string::npos);
  JudgeTestModel(folder_, /*passed=*/false);
  EXPECT_NE(refusal().find("FAILED: loss"), std::string::npos);
  JudgeTestModel(folder_);
  EXPECT_TRUE(StartServer(options_).ok());
  // The verdict is about other weights, or another tokenizer.
  ASSERT_TRUE(SaveModel(*SmallModel("llama", 2), folder_).ok());
  EXPECT_NE(refusal().find("does not count"), std::string::npos);
  ASSERT_TRUE(SaveModel(*SmallModel("llama", 1), folder_).ok());
  EXPECT_TRUE(StartServer(options_).ok());
  std::ofstream(folder_ + "/tokenizer.json", std::ios::app) << " ";
  EXPECT_NE(refusal().find("tokenizer.json"), std::string::npos);
}

TEST_F(ServerTest, AllowUnverifiedServesAndSaysSo) {
  options_.allow_unverified = true;
  Start();
  Json models = Body(Get("/v1/models"));
  EXPECT_EQ(models["data"][0]["verdict"], "UNVERIFIED");
  EXPECT_EQ(models["data"][0]["verdict_reason"], "it has no verdict");
  EXPECT_EQ(models["data"][0]["max_model_len"], 256);
  EXPECT_EQ(Body(Post({{"prompt", "a"}, {"max_new_tokens", 1}}))["model"]["verdict"], "UNVERIFIED");
}

TEST_F(ServerTest, FoldersThatCannotBeServedSayWhy) {
  options_.model_name = "";
  EXPECT_EQ(StartServer(options_).status().code(), absl::StatusCode::kInvalidArgument);
  options_.model_name = folder_ + "/missing";
  EXPECT_EQ(StartServer(options_).status().code(), absl::StatusCode::kNotFound) << StartServer(options_).status();
  options_.model_name = folder_;
  options_.allow_unverified = true;
  options_.device = "cuda:0";
  EXPECT_EQ(StartServer(options_).status().code(), absl::StatusCode::kUnavailable);
  options_.device = "gpu";
  EXPECT_EQ(StartServer(options_).status().code(), absl::StatusCode::kInvalidArgument);
  options_.device = "cpu";
  ASSERT_TRUE(RemoveAll(folder_ + "/tokenizer.json").ok());
  EXPECT_EQ(StartServer(options_).status().code(), absl::StatusCode::kNotFound) << StartServer(options_).status();
}

TEST_F(ServerTest, ABusyPortIsUnavailable) {
  StartJudged();
  options_.port = server_->port();
  auto second = StartServer(options_);
  ASSERT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(std::string(second.status().message()).find(absl::StrCat(options_.port)), std::string::npos);
}

TEST_F(ServerTest, AFolderThatChangesWhileItIsReadIsRefused) {
  JudgeTestModel(folder_);
  auto inspected = InspectModel(options_);
  ASSERT_TRUE(inspected.ok()) << inspected.status();
  ASSERT_TRUE(SaveModel(*SmallModel("llama", 2), folder_).ok());
  EXPECT_EQ(LoadEngine(options_, *inspected).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(ServerTest, ReadinessFollowsTheEngine) {
  options_.readiness_timeout = 0.3;
  StartJudged();
  EXPECT_EQ(Get("/startupz").status, 200);
  EXPECT_EQ(Get("/readyz").status, 200);
  server_->engine()->Pause(true);
  EXPECT_EQ(Get("/readyz").status, 503);
  EXPECT_EQ(Get("/livez").status, 200);
  EXPECT_NE(Get("/metrics").body.find("\nquern_ready 0\n"), std::string::npos);
  server_->engine()->Pause(false);
  EXPECT_EQ(Get("/readyz").status, 200);
}

TEST_F(ServerTest, OverloadIsRefusedEarly) {
  options_.max_running = 1;
  options_.max_queue = 2;
  StartJudged();
  server_->engine()->Pause(true);
  std::vector<TestClient> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back(server_->port()).Send(PostRequest("/api/generate", R"({"prompt": "a", "max_new_tokens": 3})"));
  }
  ASSERT_TRUE(Eventually([&] { return server_->engine()->stats().waiting == 2; }));
  TestResponse refused = Post({{"prompt", "a"}});
  EXPECT_EQ(refused.status, 503);
  EXPECT_FALSE(refused.Field("Retry-After").empty());
  server_->engine()->Pause(false);
  for (TestClient& client : clients) EXPECT_EQ(client.Read().status, 200);
}

// Serve as a process runs it, from its line on stdout to the signal.
TEST_F(ServerTest, ASignalFinishesTheAnswersUnderWay) {
  JudgeTestModel(folder_);
  {
    HttpServerOptions any;
    any.port = 0;
    options_.port = (*HttpServer::Listen(any, nullptr))->port();
  }
  options_.pause_file = folder_ + "/pause";
  testing::internal::CaptureStdout();
  absl::Status status = absl::UnknownError("still running");
  std::thread serving([&] { status = Serve(options_); });
  auto ready = [&] {
    HttpServerOptions same;
    same.port = options_.port;
    return !HttpServer::Listen(same, nullptr).ok() && Exchange(options_.port, GetRequest("/readyz")).status == 200;
  };
  ASSERT_TRUE(Eventually(ready));
  ASSERT_TRUE(WriteFileAtomic(options_.pause_file, "").ok());
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  TestClient stream(options_.port), plain(options_.port);
  stream.Send(PostRequest("/api/generate", R"({"prompt": "abc", "max_new_tokens": 200, "stream": true})"));
  plain.Send(PostRequest("/api/generate", R"({"prompt": "abc", "max_new_tokens": 200})"));
  EXPECT_EQ(plain.ReadUntil("HTTP", 0.2), "") << "the engine goes on while the pause file exists";
  ASSERT_TRUE(RemoveAll(options_.pause_file).ok());
  stream.ReadUntil("data: ");
  SimulateInterrupt(15);
  serving.join();
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(testing::internal::GetCapturedStdout(),
            absl::StrCat("listening on http://127.0.0.1:", options_.port, "\n"));
  auto model = *LoadModel(folder_);
  const std::string expected = GenerateAlone(*model, TestTokenizer(), "abc", 200).text;
  EXPECT_EQ(Body(plain.Read())["text"], expected);
  EXPECT_NE(stream.ReadUntil("data: [DONE]\n\n").find("data: [DONE]"), std::string::npos);
  EXPECT_TRUE(plain.Closed());
}

}  // namespace
}  // namespace quern
