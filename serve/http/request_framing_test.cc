#include "serve/http/request_framing.h"

#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "serve/http/syntax.h"
#include "serve/http/testing.h"

namespace quern {
namespace {

using State = RequestFraming::State;

struct Outcome {
  int status = 0;  // 200 for a whole request, 0 for one that goes on
  size_t used = 0;
  std::string code;
  bool operator==(const Outcome& other) const {
    return status == other.status && used == other.used && code == other.code;
  }
};

// Hands over at most `step()` bytes at a time.
template <typename Step>
Outcome Frame(std::string_view bytes, const FramingLimits& limits, Step step) {
  RequestFraming framing(limits);
  Outcome outcome;
  while (outcome.used < bytes.size() && framing.state() != State::kDone && framing.state() != State::kError) {
    std::string_view piece = bytes.substr(outcome.used, step());
    while (!piece.empty()) {
      size_t used = framing.Consume(piece);
      outcome.used += used;
      piece.remove_prefix(used);
      if (framing.state() == State::kDone || framing.state() == State::kError) break;
    }
  }
  if (framing.state() == State::kDone) outcome.status = 200;
  if (framing.state() == State::kError) outcome.status = framing.error().status, outcome.code = framing.error().code;
  return outcome;
}

TEST(RequestFraming, RefusesWhateverIsAmbiguous) {
  for (const FramingCase& c : FramingCases()) {
    Outcome whole = Frame(c.request, {}, [] { return size_t{1} << 30; });
    EXPECT_EQ(whole.status, c.status) << c.name << " " << whole.code;
    EXPECT_TRUE(c.status != 200 || whole.used == c.request.size()) << c.name;
    EXPECT_TRUE(Frame(c.request, {}, [] { return 1; }) == whole) << c.name;
  }
}

TEST(RequestFraming, ReadsTheHead) {
  RequestFraming framing({});
  const std::string request =
      "POST /api/x?y=1 HTTP/1.1\r\nHOST: localhost:8000\r\nContent-length: 5\r\nExpect: 100-Continue\r\n\r\nhelloGET /";
  size_t head = framing.Consume(request);
  ASSERT_EQ(framing.state(), State::kBody);
  EXPECT_EQ(request.substr(head), "helloGET /");
  EXPECT_EQ(framing.head().method, "POST");
  EXPECT_EQ(framing.head().path, "/api/x");
  EXPECT_EQ(framing.head().query, "y=1");
  EXPECT_EQ(framing.head().host, "localhost:8000");
  EXPECT_EQ(framing.head().content_length, 5u);
  EXPECT_TRUE(framing.head().expects_continue);
  EXPECT_TRUE(framing.head().keep_alive);
  EXPECT_EQ(framing.Consume(request.substr(head)), 5u);
  EXPECT_EQ(framing.state(), State::kDone);
}

TEST(RequestFraming, BoundsBodiesBeforeTheyArrive) {
  FramingLimits limits;
  limits.max_body_bytes = 4;
  auto frame = [&](const std::string& request) {
    return Frame(request, limits, [] { return size_t{1} << 30; }).status;
  };
  const std::string start = "POST / HTTP/1.1\r\nHost: x\r\n";
  EXPECT_EQ(frame(start + "Content-Length: 4\r\n\r\nabcd"), 200);
  EXPECT_EQ(frame(start + "Content-Length: 5\r\n\r\n"), 413);
  EXPECT_EQ(frame(start + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n"), 200);
  EXPECT_EQ(frame(start + "Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n3\r\n"), 413);
  limits.max_chunks = 2;
  EXPECT_EQ(frame(start + "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\n"), 400);
}

// Random edits of the cases: however the bytes are cut, the verdict is the same, and nothing is read past the end.
TEST(RequestFraming, CutsMakeNoDifference) {
  std::mt19937 random(7);
  const std::vector<FramingCase> cases = FramingCases();
  const std::string spice("\r\n \t:;,0a\0\x7f\xff", 12);
  for (int round = 0; round < 20000; ++round) {
    std::string bytes = cases[random() % cases.size()].request.substr(0, 400);
    for (unsigned edits = random() % 4; edits > 0 && !bytes.empty(); --edits) {
      size_t at = random() % bytes.size();
      switch (random() % 3) {
        case 0:
          bytes[at] = spice[random() % spice.size()];
          break;
        case 1:
          bytes.insert(at, 1, spice[random() % spice.size()]);
          break;
        default:
          bytes.erase(at, 1 + random() % 3);
      }
    }
    Outcome whole = Frame(bytes, {}, [] { return size_t{1} << 30; });
    ASSERT_TRUE(Frame(bytes, {}, [&] { return 1 + random() % 7; }) == whole) << testing::PrintToString(bytes);
    ASSERT_LE(whole.used, bytes.size());
  }
}

TEST(Syntax, Authorities) {
  for (const char* good : {"a", "a.b-c_d~e:80", "127.0.0.1:8000", "[::1]", "[::ffff:1.2.3.4]:1"}) {
    EXPECT_TRUE(IsAuthority(good)) << good;
  }
  for (const char* bad : {"", ":80", "a:", "a:b", "a:123456", "[::1", "[::1]x", "[]", "[g::]", "a b", "a/b", "a:1:2"}) {
    EXPECT_FALSE(IsAuthority(bad)) << bad;
  }
  EXPECT_EQ(AuthorityHost("LocalHost:80"), "localhost");
  EXPECT_EQ(AuthorityHost("[::1]:80"), "::1");
  EXPECT_TRUE(IsIpLiteral("10.0.0.255"));
  EXPECT_TRUE(IsIpLiteral("::1"));
  for (const char* bad : {"", "1.2.3", "1.2.3.256", "1.2.3.4.5", "1..2.3", "127.0.0.1.evil.com", "localhost"}) {
    EXPECT_FALSE(IsIpLiteral(bad)) << bad;
  }
}

}  // namespace
}  // namespace quern
