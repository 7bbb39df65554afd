// Time. Monotonic for durations; wall clock only for timestamps in files that no digest covers.
#ifndef QUERN_BASE_CLOCK_H_
#define QUERN_BASE_CLOCK_H_

#include <chrono>
#include <string>

namespace quern {

// Seconds from an arbitrary start; never goes back.
inline double MonotonicSeconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Seconds since 1970, UTC.
inline double WallSeconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// "2026-11-24T09:00:00Z". SOURCE_DATE_EPOCH, if set, replaces the clock (reproducible build actions).
std::string UtcTimestamp();

}  // namespace quern

#endif  // QUERN_BASE_CLOCK_H_
