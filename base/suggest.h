// "did you mean": the nearest of some names by Damerau-Levenshtein distance.
#ifndef QUERN_BASE_SUGGEST_H_
#define QUERN_BASE_SUGGEST_H_

#include <string>
#include <string_view>
#include <vector>

namespace quern {

// The candidate nearest to `name`, or "" when none is near (distance above a third of the length, at least 2).
std::string Nearest(std::string_view name, const std::vector<std::string>& candidates);
// " Did you mean \"learning_rate\"?" or "".
std::string DidYouMean(std::string_view name, const std::vector<std::string>& candidates);

}  // namespace quern

#endif  // QUERN_BASE_SUGGEST_H_
