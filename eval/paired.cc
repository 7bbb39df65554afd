#include "eval/paired.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/log.h"
#include "base/rng.h"

namespace quern {
namespace {

constexpr uint32_t kResamples = 10000;
// What is drawn for: the micro-batch of the counter.
constexpr uint32_t kBootstrap = 0, kSigns = 1;

uint32_t Word(uint64_t seed, uint32_t purpose, uint32_t resample, uint64_t index, Philox4& words) {
  if (index % 4 == 0) words = RandomWords({seed, RngStream::kResampling}, resample, purpose, index / 4);
  return words[index % 4];
}

std::vector<double> BootstrapMeans(const std::vector<double>& d, uint64_t seed) {
  std::vector<double> means(kResamples);
  for (uint32_t r = 0; r < kResamples; ++r) {
    double sum = 0;
    Philox4 words{};
    for (size_t i = 0; i < d.size(); ++i) {
      sum += d[static_cast<size_t>(uint64_t{Word(seed, kBootstrap, r, i, words)} * d.size() >> 32)];
    }
    means[r] = sum / static_cast<double>(d.size());
  }
  std::sort(means.begin(), means.end());
  return means;
}

double SignTest(const std::vector<double>& d, uint64_t seed) {
  const double observed = std::abs(std::accumulate(d.begin(), d.end(), 0.0));
  // Equal sums in another order of signs count as equal.
  const double least = observed * (1 - 1e-12);
  uint32_t as_far = 0;
  for (uint32_t r = 0; r < kResamples; ++r) {
    double sum = 0;
    Philox4 words{};
    for (size_t i = 0; i < d.size(); ++i) sum += Word(seed, kSigns, r, i, words) >> 31 ? d[i] : -d[i];
    as_far += std::abs(sum) >= least ? 1 : 0;
  }
  return (as_far + 1.0) / (kResamples + 1.0);
}

}  // namespace

PairedTest ComparePaired(std::span<const double> a, std::span<const double> b, double confidence, uint64_t seed) {
  CHECK(!a.empty() && a.size() == b.size()) << "ComparePaired: pairs; got " << a.size() << " and " << b.size();
  CHECK(confidence > 0 && confidence < 1) << "ComparePaired: confidence is between 0 and 1; got " << confidence;
  std::vector<double> d(a.size());
  for (size_t i = 0; i < d.size(); ++i) d[i] = b[i] - a[i];
  const double count = static_cast<double>(d.size());
  PairedTest test;
  test.difference = std::accumulate(d.begin(), d.end(), 0.0) / count;
  const std::vector<double> means = BootstrapMeans(d, seed);
  const auto percentile = [&means](double share) {
    return means[static_cast<size_t>(std::llround(share * static_cast<double>(means.size() - 1)))];
  };
  test.low = percentile((1 - confidence) / 2);
  test.high = percentile((1 + confidence) / 2);
  test.p = SignTest(d, seed);
  double squares = 0;
  for (double x : d) squares += (x - test.difference) * (x - test.difference);
  if (d.size() > 1) test.detectable = (1.959964 + 0.841621) * std::sqrt(squares / (count - 1) / count);
  return test;
}

std::vector<double> HolmAdjusted(const std::vector<double>& p) {
  std::vector<size_t> order(p.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&p](size_t i, size_t j) { return p[i] < p[j]; });
  std::vector<double> adjusted(p.size());
  double least = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    least = std::max(least, std::min(1.0, p[order[rank]] * static_cast<double>(p.size() - rank)));
    adjusted[order[rank]] = least;
  }
  return adjusted;
}

}  // namespace quern
