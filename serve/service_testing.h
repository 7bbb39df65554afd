// HttpService with a FakeEngine behind it, as tests ask it.
#ifndef QUERN_SERVE_SERVICE_TESTING_H_
#define QUERN_SERVE_SERVICE_TESTING_H_

#include <memory>
#include <string>
#include <vector>

#include "base/json.h"
#include "gtest/gtest.h"
#include "serve/http/testing.h"
#include "serve/http_service.h"
#include "serve/testing.h"

namespace quern {

// The data of a stream of server-sent events. What is no JSON, or comes after [DONE], is an assertion that failed.
struct Events {
  std::string text;
  std::vector<Json> all;
  bool done = false;
};
Events ReadEvents(const std::string& body);

Json Body(const TestResponse& response);

// Options and model may be changed before Start.
class ServeTest : public testing::Test {
 protected:
  ServeTest();

  void Start(const FakeEngineOptions& fake = {}, const HttpServerOptions& http = {});

  TestResponse Get(const std::string& path, const std::string& fields = "");
  // To /api/generate.
  TestResponse Post(const std::string& body, const std::string& fields = "");
  // The value of a sample line of /metrics, "quern_x{a=\"b\"}"; -1 where there is none.
  double Metric(const std::string& name);

  ServeOptions options_;
  ServedModel model_;
  FakeEngine* fake_ = nullptr;
  std::unique_ptr<HttpService> server_;
};

}  // namespace quern

#endif  // QUERN_SERVE_SERVICE_TESTING_H_
