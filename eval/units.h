// Parts of what a metric was measured over. Two models are compared part by part: what is hard in a text is hard for
// both, so differences say more than the values do.
#ifndef QUERN_EVAL_UNITS_H_
#define QUERN_EVAL_UNITS_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace quern {

// Enough for a test to be sharp, few enough to stand in a report.
inline constexpr int64_t kMostUnits = 128;

// `values`, in order, as at most kMostUnits numbers with the same mean: sums of neighbours, scaled.
inline std::vector<double> UnitMeans(const std::vector<double>& values) {
  const size_t units = std::min(values.size(), static_cast<size_t>(kMostUnits));
  std::vector<double> means(units, 0.0);
  for (size_t i = 0; i < values.size(); ++i) {
    means[i * units / values.size()] += values[i] * static_cast<double>(units) / static_cast<double>(values.size());
  }
  return means;
}

}  // namespace quern

#endif  // QUERN_EVAL_UNITS_H_
