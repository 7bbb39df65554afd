#include "serve/origin_check.h"

#include "gtest/gtest.h"

namespace quern {
namespace {

bool Passes(const std::string& host, HttpFields fields, std::vector<std::string> allowed = {}) {
  HttpRequest request;
  request.host = host;
  request.fields = std::move(fields);
  return !CheckOrigin(request, allowed).has_value();
}

TEST(OriginCheck, ProgramsPass) {
  EXPECT_TRUE(Passes("localhost:8000", {}));
  EXPECT_TRUE(Passes("anything", {}));
}

TEST(OriginCheck, OurOwnPagePasses) {
  for (const char* host : {"localhost:8000", "127.0.0.1:8000", "[::1]:8000", "192.168.1.7:8000", "quern.localhost"}) {
    EXPECT_TRUE(Passes(host, {{"Origin", std::string("http://") + host}, {"Sec-Fetch-Site", "same-origin"}})) << host;
  }
}

TEST(OriginCheck, OtherSitesDoNot) {
  for (const char* origin : {"http://evil.com", "https://localhost.evil.com", "null", "", "http://localhost:8001",
                             "file://", "http://user@localhost:8000", "http://localhost:8000/", "HTTP://localhost:8000",
                             "http://localhost:8000 http://evil.com", "chrome-extension://abc"}) {
    EXPECT_FALSE(Passes("localhost:8000", {{"Origin", origin}})) << origin;
  }
  EXPECT_FALSE(Passes("localhost:8000", {{"Sec-Fetch-Site", "cross-site"}}));
  EXPECT_FALSE(Passes("localhost:8000", {{"Origin", "http://localhost:8000"}, {"Origin", "http://evil.com"}}));
}

TEST(OriginCheck, RebindingFails) {
  HttpFields rebound = {{"Origin", "http://evil.com:8000"}, {"Sec-Fetch-Site", "same-origin"}};
  EXPECT_FALSE(Passes("evil.com:8000", rebound));
  EXPECT_FALSE(Passes("127.0.0.1.evil.com", {{"Origin", "http://127.0.0.1.evil.com"}}));
  EXPECT_TRUE(Passes("evil.com:8000", rebound, {"Evil.com"}));  // the operator says it is ours
  EXPECT_TRUE(Passes("10.0.0.1:8000", {{"Origin", "https://quern.example"}}, {"quern.example"}));  // behind a proxy
}

}  // namespace
}  // namespace quern
