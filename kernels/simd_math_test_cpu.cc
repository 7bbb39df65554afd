#include "kernels/simd_math.h"
#include "kernels/simd_math_test_args.h"

namespace quern {
namespace QUERN_ISA {
namespace {

QUERN_INLINE F32x16 One(SimdFunction function, F32x16 x) {
  switch (function) {
    case SimdFunction::kExp:
      return Exp(x);
    case SimdFunction::kExp2:
      return Exp2(x);
    case SimdFunction::kLog:
      return Log(x);
    case SimdFunction::kSigmoid:
      return Sigmoid(x);
    case SimdFunction::kTanh:
      return Tanh(x);
    case SimdFunction::kErf:
      return Erf(x);
  }
  return x;
}

}  // namespace

void ApplySimdFunction(SimdFunction function, const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; i += kLanes) Store(y + i, One(function, Load(x + i)));
}

}  // namespace QUERN_ISA
}  // namespace quern
