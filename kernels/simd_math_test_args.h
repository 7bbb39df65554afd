// What simd_math_test calls: one elementary function over an array.
#ifndef QUERN_KERNELS_SIMD_MATH_TEST_ARGS_H_
#define QUERN_KERNELS_SIMD_MATH_TEST_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

enum class SimdFunction { kExp, kExp2, kLog, kSigmoid, kTanh, kErf };

// y[i] = function(x[i]), n a multiple of 16.
QUERN_FOR_EACH_ISA(void ApplySimdFunction(SimdFunction function, const float* x, float* y, int64_t n);)

}  // namespace quern

#endif  // QUERN_KERNELS_SIMD_MATH_TEST_ARGS_H_
