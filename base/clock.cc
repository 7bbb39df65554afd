#include "base/clock.h"

#include <cerrno>
#include <cstdlib>
#include <ctime>

namespace quern {
namespace {

// SOURCE_DATE_EPOCH (reproducible-builds.org): seconds since 1970, decimal. Anything else is ignored.
bool SourceDateEpoch(std::time_t& seconds) {
  const char* text = std::getenv("SOURCE_DATE_EPOCH");
  if (text == nullptr || *text < '0' || *text > '9') return false;
  char* end = nullptr;
  errno = 0;
  const long long value = std::strtoll(text, &end, 10);
  constexpr long long kYear10000 = 253402300800;
  if (errno != 0 || *end != '\0' || value >= kYear10000) return false;
  seconds = static_cast<std::time_t>(value);
  return true;
}

}  // namespace

std::string UtcTimestamp() {
  std::time_t now = std::time(nullptr);
  SourceDateEpoch(now);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  const size_t size = std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
  return std::string(text, size);
}

}  // namespace quern
