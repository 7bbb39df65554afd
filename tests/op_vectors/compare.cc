#include "tests/op_vectors/compare.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

namespace quern {
namespace {

// |got - want| <= absolute + relative * |want|. ONNX's own runner allows relative 1e-3, absolute 1e-7, for every type.
struct Tolerance {
  double relative, absolute;
};

Tolerance ToleranceOf(int type) {
  switch (type) {
    case kOnnxFloat:
      // Rounding errors of 2^-24 in sums of some hundred terms of size 1 to 10, in an order that is not theirs.
      return {1e-5, 5e-6};
    case kOnnxDouble:
      // The same: operands are rounded to f32, and kernels compute in f32.
      return {1e-5, 5e-6};
    case kOnnxFloat16:
      // We compute in f32; the expected values are rounded to 11 bits, in arithmetic of theirs perhaps more than once.
      return {0x1p-10, 1e-4};
    case kOnnxBfloat16:
      // As float16, with 8 bits.
      return {0x1p-7, 1e-3};
    default:
      return {0, 0};  // whole numbers
  }
}

double At(const Tensor& t, int64_t i) {
  switch (t.dtype()) {
    case DType::kF32:
      return t.data<float>()[i];
    case DType::kBF16:
      return static_cast<float>(t.data<BFloat16>()[i]);
    case DType::kF64:
      return t.data<double>()[i];
    case DType::kI32:
      return t.data<int32_t>()[i];
    case DType::kI64:
      return static_cast<double>(t.data<int64_t>()[i]);
    case DType::kI8:
      return t.data<int8_t>()[i];
    case DType::kU8:
      return t.data<uint8_t>()[i];
  }
  return 0;
}

bool IsInteger(DType dtype) { return dtype != DType::kF32 && dtype != DType::kBF16 && dtype != DType::kF64; }

// f32 stands for the other float types, i32 for i64; only a cast to bfloat16 has to give one.
bool SameKind(DType got, DType want, bool exact) {
  return IsInteger(got) == IsInteger(want) && (!exact || (got == DType::kBF16) == (want == DType::kBF16));
}

}  // namespace

Comparison CompareOutput(const Tensor& got, const OnnxValue& want, bool exact) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (!got.defined()) return {kInfinity, "no result"};
  if (got.shape() != want.tensor.shape() || !SameKind(got.dtype(), want.tensor.dtype(), exact)) {
    return {kInfinity, absl::StrCat("got ", Describe(got), ", want ", Describe(want.tensor))};
  }
  const Tolerance tolerance = exact ? Tolerance{0, 0} : ToleranceOf(want.type);
  const Tensor a = got.Contiguous(), b = want.tensor.Contiguous();
  // What was moved as f32 is expected to be the f64's nearest.
  const bool narrowed = exact && a.dtype() == DType::kF32 && b.dtype() == DType::kF64;
  Comparison result;
  for (int64_t i = 0; i < a.elements(); ++i) {
    const double x = At(a, i), y = narrowed ? static_cast<float>(At(b, i)) : At(b, i);
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    const double error = std::isfinite(x) && std::isfinite(y) ? std::abs(x - y) : kInfinity;
    result.max_err = std::max(result.max_err, error);
    const bool within = std::isfinite(error) && error <= tolerance.absolute + tolerance.relative * std::abs(y);
    if (result.problem.empty() && !within) {
      result.problem = absl::StrCat("element ", i, ": got ", x, ", want ", y);
    }
  }
  return result;
}

}  // namespace quern
