// What kernel tests share: random tensors, poisoned outputs, every instruction set, and comparisons that say where.
#ifndef QUERN_KERNELS_TESTING_H_
#define QUERN_KERNELS_TESTING_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/isa.h"
#include "tensor/tensor.h"

namespace quern {

// Uniform in [-scale, scale), f32, a function of (shape, seed).
Tensor RandomTensor(const Shape& shape, uint64_t seed, float scale = 1.0f);
// Integers in [-range, range] as f32: sums of their products are exact, so every order gives the same bits.
Tensor RandomIntegers(const Shape& shape, uint64_t seed, int range = 4);
// Filled with NaN: an output that a kernel leaves unwritten shows.
Tensor Poisoned(const Shape& shape);
// A tensor inside a larger block whose margins hold a pattern; GuardIntact() is false once something wrote outside.
struct Guarded {
  explicit Guarded(const Shape& shape);
  bool GuardIntact() const;
  Tensor tensor;  // poisoned

 private:
  Tensor block_;
};

// Runs `body` under every instruction set that this processor has (kReference included) and at 1 and 2 threads, then
// puts back what was current. SCOPED_TRACE names the set.
void ForEachIsa(const std::function<void(Isa isa)>& body);

// Runs `run` under all of them: its tensors are close to the reference's, and every vector set and thread count gives
// the same bits. Freed memory of the results' sizes is poisoned before each run.
void ExpectIsasAgree(const std::function<std::vector<Tensor>()>& run, double relative, double absolute);

// The same bits, NaNs included; names the first difference.
testing::AssertionResult SameBits(const Tensor& a, const Tensor& b);
// |a - b| <= absolute + relative * |b| everywhere; names the worst element. f32 and f64 tensors may be mixed.
testing::AssertionResult AllClose(const Tensor& a, const Tensor& b, double relative, double absolute);

}  // namespace quern

#endif  // QUERN_KERNELS_TESTING_H_
