#include "serve/server.h"

#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <thread>
#include <utility>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/status_macros.h"
#include "serve/open_model.h"

namespace quern {
namespace {

// The soft limit is often 1024, fewer than the connections that are allowed here.
void RaiseFileLimit() {
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpService>> StartServer(const ServeOptions& options) {
  RaiseFileLimit();
  ASSIGN_OR_RETURN(InspectedModel inspected, InspectModel(options));
  if (inspected.model.verdict != "PASSED") {
    LOG(WARNING) << "serving without a passed verdict (--allow_unverified): " << inspected.model.verdict_reason;
  }
  return HttpService::Start(options, inspected.model,
                            [&](ServedModel& model) -> absl::StatusOr<std::unique_ptr<Engine>> {
                              ASSIGN_OR_RETURN(std::unique_ptr<Engine> engine, LoadEngine(options, inspected));
                              model = inspected.model;
                              return engine;
                            });
}

absl::Status Serve(const ServeOptions& options) {
  absl::StatusOr<std::unique_ptr<HttpService>> server = StartServer(options);
  if (!server.ok()) return Interrupted() ? absl::OkStatus() : server.status();
  std::printf("listening on %s\n", (*server)->url().c_str());
  std::fflush(stdout);
  for (bool paused = false; !Interrupted(); std::this_thread::sleep_for(std::chrono::milliseconds(50))) {
    if (options.pause_file.empty() || FileExists(options.pause_file) == paused) continue;
    paused = !paused;
    LOG(WARNING) << "the engine " << (paused ? "stands still while " : "goes on, without ") << options.pause_file;
    (*server)->engine()->Pause(paused);
  }
  LOG(INFO) << "finishing the answers under way; a second signal ends at once";
  if (!(*server)->Shutdown()) LOG(WARNING) << "some answers were cut off after " << options.drain_timeout << " seconds";
  return absl::OkStatus();
}

}  // namespace quern
