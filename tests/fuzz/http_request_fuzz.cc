// Bytes of a connection: the same requests come out however they are cut, and their bodies are read as /api/generate
// reads them.
#include <cstdint>
#include <string>
#include <vector>

#include "base/log.h"
#include "serve/generate_request.h"
#include "serve/http/request_reader.h"

namespace quern {
namespace {

using State = RequestFraming::State;

struct Outcome {
  std::vector<HttpRequest> requests;
  int status = 0;  // of the request that was refused; it is the connection's last
  std::string code;
  size_t used = 0;
};

bool operator==(const Outcome& a, const Outcome& b) {
  bool same = a.requests.size() == b.requests.size() && a.status == b.status && a.code == b.code && a.used == b.used;
  for (size_t i = 0; same && i < a.requests.size(); ++i) {
    const HttpRequest &x = a.requests[i], &y = b.requests[i];
    same = x.method == y.method && x.path == y.path && x.query == y.query && x.host == y.host && x.fields == y.fields &&
           x.body == y.body;
  }
  return same;
}

// Pieces of `step`, `step` + 1, ... bytes.
Outcome Read(std::string_view bytes, const FramingLimits& limits, size_t step) {
  Outcome outcome;
  RequestReader reader(limits);
  std::string_view piece;
  while (reader.state() != State::kError && (!piece.empty() || outcome.used < bytes.size())) {
    if (piece.empty()) piece = bytes.substr(outcome.used, step++);
    const State before = reader.state();
    const size_t used = reader.Consume(piece);
    CHECK(used <= piece.size() && (used > 0 || reader.state() != before)) << "must get on";
    piece.remove_prefix(used);
    outcome.used += used;
    if (reader.state() != State::kDone) continue;
    outcome.requests.push_back(std::move(reader).Take());
    reader = RequestReader(limits);
  }
  if (reader.state() == State::kError) {
    outcome.status = reader.error().status;
    outcome.code = reader.error().code;
    CHECK(outcome.status >= 400 && outcome.status < 600 && !outcome.code.empty() && !reader.error().message.empty());
    CHECK_NE(outcome.code, "bad_request") << "our framing is the stricter one";
  }
  return outcome;
}

void CheckRequest(const HttpRequest& request, const FramingLimits& limits) {
  CHECK(!request.method.empty() && !request.host.empty() && request.path.compare(0, 1, "/") == 0);
  CHECK(request.body.size() <= limits.max_body_bytes &&
        request.fields.size() <= static_cast<size_t>(limits.max_fields));
  GenerateRequest generate;
  auto error = ReadGenerateRequest(request.body, {}, generate);
  if (error) CHECK(error->status == 400 || error->status == 422);
  if (error) ErrorResponse(*error, "id");
}

}  // namespace
}  // namespace quern

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  quern::FramingLimits limits;
  limits.max_body_bytes = 4096;
  limits.max_head_bytes = 2048;
  limits.max_fields = 20;
  const quern::Outcome whole = quern::Read(bytes, limits, size + 1);
  CHECK(quern::Read(bytes, limits, 1) == whole);
  for (const quern::HttpRequest& request : whole.requests) quern::CheckRequest(request, limits);
  // A body by itself, so that what is in it is reached without a head around it.
  quern::GenerateRequest generate;
  if (bytes.substr(0, 1) == "{") quern::ReadGenerateRequest(bytes, {}, generate);
  return 0;
}
