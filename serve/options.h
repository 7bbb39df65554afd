// What `quern serve` can be told.
#ifndef QUERN_SERVE_OPTIONS_H_
#define QUERN_SERVE_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace quern {

// What a request that leaves a field out gets.
struct GenerateDefaults {
  int32_t max_new_tokens = 128;  // fewer where the model's positions end before
  float temperature = 0;
  int32_t top_k = 0;
  float top_p = 1;
};

struct ServeOptions {
  std::string model_name;  // a model folder
  std::string host = "127.0.0.1";
  int port = 8000;  // 0: a free one
  std::string device = "cpu";
  bool allow_unverified = false;
  GenerateDefaults defaults;

  // Seconds.
  double request_timeout = 120;    // from a request's arrival to the end of its answer
  double readiness_timeout = 3;    // for the one token of /readyz
  double drain_timeout = 30;       // for the answers under way after SIGTERM
  double keep_alive_seconds = 15;  // between comments in a stream that has nothing to say

  int max_running = 64;  // sequences decoded together
  int max_queue = 256;   // requests that wait; beyond: 503 with Retry-After
  int max_connections = 8192;
  uint64_t max_body_bytes = 1 << 20;
  int io_threads = 2;
  // For drills: while this file exists the engine stands still, as if hung, and /readyz must say so. "": never.
  std::string pause_file;
  // Names by which browsers may reach this server, besides loopback names and addresses (origin_check.h).
  std::vector<std::string> allowed_hosts;
};

}  // namespace quern

#endif  // QUERN_SERVE_OPTIONS_H_
