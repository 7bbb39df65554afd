#include "eval/windows.h"

#include <algorithm>

#include "base/log.h"

namespace quern {
namespace {

std::vector<Window> Strided(int64_t length, int64_t context, int64_t stride) {
  std::vector<Window> windows;
  // A context of one token sees nothing of what it is asked for, unless it begins one earlier.
  const int64_t tokens = std::max<int64_t>(context, 2);
  for (int64_t begin = 0, first = 1; first < length; begin += stride) {
    const int64_t end = std::min(begin + tokens, length);
    windows.push_back({std::min(begin, first - 1), end, first});
    first = end;
  }
  return windows;
}

}  // namespace

std::vector<Window> CutWindows(int64_t length, PerplexityMode mode, int64_t context, int64_t stride) {
  CHECK(context >= 1 && (mode != PerplexityMode::kStrided || (stride >= 1 && stride <= context)))
      << "CutWindows: 1 <= stride <= context; got context=" << context << ", stride=" << stride;
  if (mode == PerplexityMode::kStrided) return Strided(length, context, stride);
  std::vector<Window> windows;
  for (int64_t begin = 0; begin + 1 < length; begin += context) {
    windows.push_back({begin, std::min(begin + context + 1, length), begin + 1});
  }
  if (mode == PerplexityMode::kRolling && !windows.empty()) {
    windows.back().begin = std::max<int64_t>(0, length - 1 - context);
  }
  return windows;
}

}  // namespace quern
