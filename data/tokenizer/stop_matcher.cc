#include "data/tokenizer/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace quern {

StopMatcher::StopMatcher(std::vector<std::string> stops) {
  for (std::string& stop : stops) {
    if (stop.empty()) continue;
    Pattern& pattern = patterns_.emplace_back();
    pattern.text = std::move(stop);
    pattern.fallback.assign(pattern.text.size() + 1, 0);
    for (size_t n = 2, border = 0; n <= pattern.text.size(); ++n) {
      while (border > 0 && pattern.text[border] != pattern.text[n - 1]) border = pattern.fallback[border];
      if (pattern.text[border] == pattern.text[n - 1]) ++border;
      pattern.fallback[n] = border;
    }
  }
}

std::string StopMatcher::Push(std::string_view text) {
  if (stopped()) return "";
  for (char c : text) {
    held_ += c;
    const Pattern* complete = nullptr;
    for (Pattern& pattern : patterns_) {
      while (pattern.matched > 0 && pattern.text[pattern.matched] != c)
        pattern.matched = pattern.fallback[pattern.matched];
      if (pattern.text[pattern.matched] == c) ++pattern.matched;
      const bool longer = complete == nullptr || pattern.text.size() > complete->text.size();
      if (pattern.matched == pattern.text.size() && longer) complete = &pattern;
    }
    if (complete == nullptr) continue;
    matched_ = complete->text;
    held_.resize(held_.size() - matched_.size());
    return std::exchange(held_, "");
  }
  size_t keep = 0;
  for (const Pattern& pattern : patterns_) keep = std::max(keep, pattern.matched);
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, out.size());
  return out;
}

std::string StopMatcher::Finish() {
  if (stopped()) return "";
  for (Pattern& pattern : patterns_) pattern.matched = 0;
  return std::exchange(held_, "");
}

}  // namespace quern
