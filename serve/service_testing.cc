#include "serve/service_testing.h"

#include <sstream>
#include <utility>

namespace quern {

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

Json Body(const TestResponse& response) {
  auto json = ParseJson(response.body, "body");
  EXPECT_TRUE(json.ok()) << response.body;
  return json.ok() ? *json : Json::object();
}

ServeTest::ServeTest() {
  options_.port = 0;
  model_.name = "tiny";
  model_.sha256 = std::string(64, 'a');
  model_.verdict = "PASSED";
  model_.max_positions = 256;
}

void ServeTest::Start(const FakeEngineOptions& fake, const HttpServerOptions& http) {
  auto engine = std::make_unique<FakeEngine>(fake);
  fake_ = engine.get();
  auto server = HttpService::Start(
      options_, model_, [&](ServedModel&) -> absl::StatusOr<std::unique_ptr<Engine>> { return std::move(engine); },
      http);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = std::move(*server);
}

TestResponse ServeTest::Get(const std::string& path, const std::string& fields) {
  return Exchange(server_->port(), GetRequest(path, fields));
}

TestResponse ServeTest::Post(const std::string& body, const std::string& fields) {
  return Exchange(server_->port(), PostRequest("/api/generate", body, fields));
}

double ServeTest::Metric(const std::string& name) {
  std::istringstream lines(Get("/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(name + " ", 0) == 0) return std::stod(line.substr(name.size() + 1));
  }
  return -1;
}

}  // namespace quern
