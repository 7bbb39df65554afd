// Numeric gradient check: every operation uses it in one line (tests/op_cases.cc).
#ifndef QUERN_AUTOGRAD_GRAD_CHECK_H_
#define QUERN_AUTOGRAD_GRAD_CHECK_H_

#include <functional>
#include <vector>

#include "autograd/var.h"
#include "gtest/gtest.h"

namespace quern {

struct GradCheckOptions {
  double step = 0.02;       // h of the fourth-order central difference
  double tolerance = 2e-3;  // of the difference's norm, relative to the gradient's norm
  int max_elements = 64;    // per input; larger inputs are checked at this many places, spread evenly
};

// Compares the gradient of L = sum(y * r), r random and fixed, with (8 (L(+h) - L(-h)) - (L(+2h) - L(-2h))) / 12h, for
// every input. L is summed in f64. Also runs the backward pass twice and demands the same bits, and that a frozen input
// gets no gradient while the others' stay the same. `fn` is called many times with fresh leaves.
testing::AssertionResult GradientsMatch(const std::function<Var(const std::vector<Var>&)>& fn,
                                        const std::vector<Tensor>& inputs, const GradCheckOptions& options = {});

}  // namespace quern

#endif  // QUERN_AUTOGRAD_GRAD_CHECK_H_
