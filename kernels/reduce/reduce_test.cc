#include "kernels/reduce/reduce.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

Tensor Scalars(std::initializer_list<double> values) {
  std::vector<double> v(values);
  return Tensor::Of(v, {static_cast<int64_t>(v.size())});
}

class ReduceSizes : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Odd, ReduceSizes, testing::Values(1, 15, 16, 17, 4095, 4096, 4097, 100003));

TEST_P(ReduceSizes, SumMeanAndMax) {
  Tensor x = RandomTensor({GetParam()}, 1), below = RandomTensor({GetParam()}, 2, 0.5f);
  below.mutable_data<float>()[GetParam() / 2] = 0.75f;
  for (int64_t i = 0; i < GetParam(); ++i) below.mutable_data<float>()[i] -= 10;  // a fill of 0 would win
  ExpectIsasAgree([&] { return std::vector<Tensor>{Scalars({Sum(x), Mean(x), Max(x), Max(below)})}; }, 1e-5, 1e-3);
  EXPECT_EQ(Max(below), -9.25f);
}

TEST_P(ReduceSizes, SumsOfIntegersAreExact) {
  Tensor x = RandomIntegers({GetParam()}, 3);
  double want = 0;
  for (float value : x.ToVector<float>()) want += value;
  ForEachIsa([&](Isa) { EXPECT_EQ(Sum(x), want); });
}

TEST(ReduceTest, ALongSumKeepsItsDigits) {
  Tensor x = Tensor::Empty({1 << 22}, DType::kF32);
  for (int64_t i = 0; i < x.elements(); ++i) x.mutable_data<float>()[i] = 0.1f;
  // A lane adds 256 numbers at most; a chain of all 2^22 would be off in the second digit.
  ForEachIsa([&](Isa) { EXPECT_NEAR(Sum(x) / (double{0.1f} * (1 << 22)), 1.0, 256 * 0x1p-24); });
}

TEST(ReduceTest, MaxOfInfinitiesAndNan) {
  ForEachIsa([&](Isa) {
    for (int64_t at : {0, 15, 16, 20, 4096, 4999}) {
      Tensor x = RandomTensor({5000}, 4);
      x.mutable_data<float>()[at] = kInf;
      EXPECT_EQ(Max(x), kInf);
      x.mutable_data<float>()[at] = NAN;
      EXPECT_TRUE(std::isnan(Max(x))) << at;
      EXPECT_TRUE(std::isnan(Sum(x))) << at;
    }
    EXPECT_EQ(Max(Tensor::Of({-kInf, -kInf}, {2})), -kInf);
  });
}

class SumRowsSizes : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};
INSTANTIATE_TEST_SUITE_P(Odd, SumRowsSizes,
                         testing::Values(std::pair{1, 1}, std::pair{3, 7}, std::pair{64, 16}, std::pair{65, 31},
                                         std::pair{130, 129}, std::pair{200, 300}, std::pair{0, 33},
                                         std::pair{33, 2050}));

TEST_P(SumRowsSizes, EveryInstructionSetAgreesWithTheReference) {
  auto [rows, cols] = GetParam();
  Tensor x = RandomTensor({rows, cols}, 5);
  ExpectIsasAgree(
      [&, cols = cols] {
        Guarded memory({cols});
        Slot fresh(memory.tensor), adding(RandomTensor({cols}, 6), /*accumulate=*/true), nobody;
        SumRows(x, fresh);
        SumRows(x, adding);
        SumRows(x, nobody);
        EXPECT_TRUE(memory.GuardIntact());
        return std::vector<Tensor>{fresh.destination(), adding.destination()};
      },
      1e-6, 1e-5);
}

TEST_P(SumRowsSizes, ArgMaxOfEveryRow) {
  auto [rows, cols] = GetParam();
  Tensor x = RandomIntegers({rows, cols}, 7, 3);  // many ties
  std::vector<int32_t> want;
  for (int64_t n = 0; n < rows; ++n) {
    const float* row = x.data<float>() + n * cols;
    want.push_back(static_cast<int32_t>(std::max_element(row, row + cols) - row));  // the first of equals
  }
  ForEachIsa([&](Isa) { EXPECT_EQ(ArgMaxRows(x), want); });
}

TEST(ReduceTest, NanNeverWinsArgMax) {
  std::vector<float> rows = {NAN,   -kInf, -kInf,  //
                             NAN,   NAN,   NAN,    //
                             1.0f,  NAN,   1.0f,   //
                             -1.0f, kInf,  NAN};
  Tensor wide = Tensor::Empty({1, 40}, DType::kF32);
  for (int64_t i = 0; i < 40; ++i) wide.mutable_data<float>()[i] = i == 37 ? -5.0f : (i % 2 ? NAN : -kInf);
  ForEachIsa([&](Isa) {
    EXPECT_EQ(ArgMaxRows(Tensor::Of(rows, {4, 3})), (std::vector<int32_t>{1, 0, 0, 1}));
    EXPECT_EQ(ArgMaxRows(wide)[0], 37);
  });
}

TEST(ReduceTest, NamesWhatDoesNotFit) {
  EXPECT_DEATH(Max(Tensor::Zeros({0}, DType::kF32)), "Max: of no elements; got x=f32\\[0\\]@cpu");
  Slot out(Poisoned({7}));
  EXPECT_DEATH(SumRows(RandomTensor({2, 8}, 1), out),
               "the destination is \\[C\\]; got x=f32\\[2,8\\]@cpu, destination=f32\\[7\\]@cpu");
}

}  // namespace
}  // namespace quern
