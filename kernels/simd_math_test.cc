#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/isa.h"
#include "kernels/simd_math_test_args.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Subject {
  SimdFunction function;
  const char* name;
  double (*exact)(double);
  double bound;       // units in the last place, as kernels/simd_math.h states
  float most = kInf;  // the greatest argument
};

const Subject kSubjects[] = {
    {SimdFunction::kExp, "Exp", [](double x) { return std::exp(x); }, 1},
    {SimdFunction::kExp2, "Exp2", [](double x) { return x < -126 ? 0 : std::exp2(x); }, 1, 0},
    {SimdFunction::kLog, "Log", [](double x) { return std::log(x); }, 1},
    {SimdFunction::kSigmoid, "Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }, 3},
    {SimdFunction::kTanh, "Tanh", [](double x) { return std::tanh(x); }, 5},
    {SimdFunction::kErf, "Erf", [](double x) { return std::erf(x); }, 5},
};

std::vector<float> Apply(Isa isa, SimdFunction function, std::vector<float> x) {
  size_t n = x.size();
  x.resize((n + 15) / 16 * 16);
  std::vector<float> y(x.size());
  auto* apply = isa == Isa::kAvx2 ? avx2::ApplySimdFunction : avx512::ApplySimdFunction;
  apply(function, x.data(), y.data(), static_cast<int64_t>(x.size()));
  y.resize(n);
  return y;
}

std::vector<Isa> VectorIsas() {
  std::vector<Isa> isas;
  for (Isa isa : AvailableIsas()) {
    if (isa == Isa::kAvx2 || isa == Isa::kAvx512) isas.push_back(isa);
  }
  return isas;
}

// Of the float nearest to `value`; 2^-149 among the denormals.
double UnitInTheLastPlace(double value) {
  int exponent;
  std::frexp(static_cast<float>(value), &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

// Infinite where one is NaN or infinite and the other is not alike.
double ErrorInUlps(float got, double want) {
  float nearest = static_cast<float>(want);
  if (std::isnan(want) || std::isnan(got)) return std::isnan(want) && std::isnan(got) ? 0 : kInf;
  if (std::isinf(nearest) || std::isinf(got)) return nearest == got ? 0 : kInf;
  return std::abs(got - want) / UnitInTheLastPlace(want);
}

// Every 251st float: all exponents, denormals, infinities, NaNs, both signs.
template <typename Visit>
void Sweep(const Visit& visit) {
  std::vector<float> block;
  for (uint64_t bits = 0; bits < uint64_t{1} << 32; bits += 251) {
    block.push_back(std::bit_cast<float>(static_cast<uint32_t>(bits)));
    if (block.size() < 1 << 16) continue;
    visit(block);
    block.clear();
  }
  visit(block);
}

TEST(SimdMathTest, StaysWithinItsStatedErrorAndEverySetGivesTheSameBits) {
  if (VectorIsas().empty()) GTEST_SKIP() << "this processor has no AVX2";
  for (const Subject& subject : kSubjects) {
    double worst = 0;
    float where = 0;
    Sweep([&](const std::vector<float>& x) {
      std::vector<float> first = Apply(VectorIsas()[0], subject.function, x);
      for (Isa isa : VectorIsas()) {
        std::vector<float> y = Apply(isa, subject.function, x);
        ASSERT_EQ(std::memcmp(y.data(), first.data(), y.size() * sizeof(float)), 0)
            << subject.name << ", " << Name(isa);
      }
      for (size_t i = 0; i < x.size(); ++i) {
        if (x[i] > subject.most) continue;
        double error = ErrorInUlps(first[i], subject.exact(x[i]));
        if (error > worst) {
          worst = error;
          where = x[i];
        }
      }
    });
    EXPECT_LE(worst, subject.bound) << subject.name << "(" << where << ")";
    RecordProperty(subject.name, std::to_string(worst));
  }
}

struct Exact {
  SimdFunction function;
  float x, y;
};

TEST(SimdMathTest, IsExactWhereItMatters) {
  const std::vector<Exact> table = {
      {SimdFunction::kExp, 0.0f, 1.0f},         {SimdFunction::kExp, -0.0f, 1.0f},
      {SimdFunction::kExp, -kInf, 0.0f},        {SimdFunction::kExp, kInf, kInf},
      {SimdFunction::kExp, -103.98f, 0.0f},     {SimdFunction::kExp, 88.73f, kInf},
      {SimdFunction::kExp, -103.9f, 0x1p-149f}, {SimdFunction::kExp2, 0.0f, 1.0f},
      {SimdFunction::kExp2, -1.0f, 0.5f},       {SimdFunction::kExp2, -kInf, 0.0f},
      {SimdFunction::kExp2, -126.01f, 0.0f},    {SimdFunction::kLog, 1.0f, 0.0f},
      {SimdFunction::kLog, 0.0f, -kInf},        {SimdFunction::kLog, -0.0f, -kInf},
      {SimdFunction::kLog, kInf, kInf},         {SimdFunction::kLog, -1.0f, kNan},
      {SimdFunction::kLog, -kInf, kNan},        {SimdFunction::kSigmoid, 0.0f, 0.5f},
      {SimdFunction::kSigmoid, kInf, 1.0f},     {SimdFunction::kSigmoid, -kInf, 0.0f},
      {SimdFunction::kTanh, 0.0f, 0.0f},        {SimdFunction::kTanh, -0.0f, -0.0f},
      {SimdFunction::kTanh, kInf, 1.0f},        {SimdFunction::kTanh, -kInf, -1.0f},
      {SimdFunction::kTanh, 9.03f, 1.0f},       {SimdFunction::kTanh, 1e30f, 1.0f},
      {SimdFunction::kTanh, 1e-40f, 1e-40f},    {SimdFunction::kErf, 0.0f, 0.0f},
      {SimdFunction::kErf, -0.0f, -0.0f},       {SimdFunction::kErf, kInf, 1.0f},
      {SimdFunction::kErf, -kInf, -1.0f},       {SimdFunction::kErf, 3.93f, 1.0f},
      {SimdFunction::kErf, -1e30f, -1.0f},
  };
  for (Isa isa : VectorIsas()) {
    for (const Exact& row : table) {
      float y = Apply(isa, row.function, {row.x})[0];
      const char* name = kSubjects[static_cast<int>(row.function)].name;
      if (std::isnan(row.y)) {
        EXPECT_TRUE(std::isnan(y)) << Name(isa) << " " << name << "(" << row.x << ") = " << y;
      } else {
        EXPECT_EQ(std::bit_cast<uint32_t>(y), std::bit_cast<uint32_t>(row.y))
            << Name(isa) << " " << name << "(" << row.x << ") = " << y;
      }
    }
    for (const Subject& subject : kSubjects)
      EXPECT_TRUE(std::isnan(Apply(isa, subject.function, {kNan})[0])) << subject.name;
  }
}

TEST(SimdMathTest, SigmoidAndItsMirrorSumToOne) {
  for (Isa isa : VectorIsas()) {
    for (float x : {0.1f, 1.0f, 5.5f, 17.0f, 80.0f}) {
      float y = Apply(isa, SimdFunction::kSigmoid, {x})[0], mirror = Apply(isa, SimdFunction::kSigmoid, {-x})[0];
      EXPECT_NEAR(y + mirror, 1.0f, 2e-7f);
      EXPECT_GT(mirror, 0.0f) << "no overflow of the exponential at " << x;
    }
  }
}

}  // namespace
}  // namespace quern
