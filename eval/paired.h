// Whether two measurements of the same things differ by more than chance.
#ifndef QUERN_EVAL_PAIRED_H_
#define QUERN_EVAL_PAIRED_H_

#include <cstdint>
#include <span>
#include <vector>

namespace quern {

struct PairedTest {
  double difference = 0;  // mean of b - a
  // Where the true mean difference lies, at the confidence asked for: percentiles of 10,000 means of as many units
  // drawn with replacement (the bootstrap; Efron and Tibshirani, 1993).
  double low = 0, high = 0;
  // How often 10,000 random changes of sign give a mean at least as far from 0: the two-sided randomisation test
  // (Fisher, 1935), the observed one counted as well, so never 0.
  double p = 1;
  // The least true difference that such a test would find four times out of five, at 5 %: 2.80 standard errors.
  double detectable = 0;
};

// `a` and `b` are equally many, at least one. A pure function of its arguments.
PairedTest ComparePaired(std::span<const double> a, std::span<const double> b, double confidence, uint64_t seed);

// p-values adjusted so that the chance of any false alarm among them stays what one alone would have (Holm, "A simple
// sequentially rejective multiple test procedure", 1979). In the order given.
std::vector<double> HolmAdjusted(const std::vector<double>& p);

}  // namespace quern

#endif  // QUERN_EVAL_PAIRED_H_
