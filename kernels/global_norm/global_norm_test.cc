#include "kernels/global_norm/global_norm.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

class GlobalNormSizes : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Odd, GlobalNormSizes, testing::Values(0, 1, 15, 16, 17, 4095, 4096, 4097, 200003));

TEST_P(GlobalNormSizes, EveryInstructionSetAgreesWithTheReference) {
  Tensor x = RandomTensor({GetParam()}, 1, 3.0f);
  double squares = 0;
  for (float value : x.ToVector<float>()) squares += double{value} * value;
  ExpectIsasAgree([&] { return std::vector<Tensor>{Tensor::Of(std::vector<double>{GlobalNorm(x)}, {1})}; }, 1e-6, 0);
  EXPECT_NEAR(GlobalNorm(x), std::sqrt(squares), 1e-6 * std::sqrt(squares));
}

TEST(GlobalNormTest, OfIntegersIsExact) {
  Tensor x = RandomIntegers({70000}, 2);
  double squares = 0;
  for (float value : x.ToVector<float>()) squares += value * value;
  ForEachIsa([&](Isa) { EXPECT_EQ(GlobalNorm(x), std::sqrt(squares)); });
}

TEST(GlobalNormTest, DoesNotDependOnTheShape) {
  Tensor x = RandomTensor({12, 1000}, 3);
  ForEachIsa([&](Isa) { EXPECT_EQ(GlobalNorm(x), GlobalNorm(x.Reshape({12000}))); });
}

TEST(GlobalNormTest, NanAndInfinityShow) {
  ForEachIsa([&](Isa) {
    for (int64_t at : {0, 4097, 9999}) {
      Tensor x = RandomTensor({10000}, 4);
      x.mutable_data<float>()[at] = NAN;
      EXPECT_TRUE(std::isnan(GlobalNorm(x))) << at;
      x.mutable_data<float>()[at] = -std::numeric_limits<float>::infinity();
      EXPECT_TRUE(std::isinf(GlobalNorm(x))) << at;
    }
  });
}

TEST(GlobalNormTest, NamesWhatDoesNotFit) {
  EXPECT_DEATH(GlobalNorm(Tensor::Zeros({3}, DType::kBF16)), "takes contiguous f32 on the CPU; got x=bf16\\[3\\]@cpu");
}

}  // namespace
}  // namespace quern
