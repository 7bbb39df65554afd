// Random initialisation. Element i of parameter p is a pure function of (seed, p, i): the same at any thread count, on
// any machine.
#ifndef QUERN_NN_INIT_H_
#define QUERN_NN_INIT_H_

#include <cstdint>

#include "autograd/var.h"

namespace quern::nn {

// The standard normal quantile, by rational approximation (Wichura, "Algorithm AS 241", 1988, PPND16: relative error
// about 1e-16). Only +, -, *, / and sqrt, so that no math library's rounding shows in the weights. `u` in (0, 1).
double NormalQuantile(double u);

// Fills parameters in the order in which it meets them; that order is their index.
class Initializer {
 public:
  explicit Initializer(uint64_t seed) : seed_(seed) {}

  void Normal(Var& parameter, double standard_deviation);
  void Constant(Var& parameter, float value);

 private:
  uint64_t seed_;
  uint32_t index_ = 0;
};

}  // namespace quern::nn

#endif  // QUERN_NN_INIT_H_
