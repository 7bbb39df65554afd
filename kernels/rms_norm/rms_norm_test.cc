#include "kernels/rms_norm/rms_norm.h"

#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

struct Everything {
  Tensor y, rstd, dx, dweight;
};

Everything RunBoth(const Tensor& x, const Tensor& weight, const Tensor& dy) {
  RmsNormResult forward = RmsNorm(x, weight, 1e-5f);
  Slot dx(Poisoned(x.shape())), dweight(Poisoned(weight.shape()));
  RmsNormBackward(dy, x, weight, forward.rstd, dx, dweight);
  return {forward.y, forward.rstd, dx.destination(), dweight.destination()};
}

class RmsNormSizes : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};

TEST_P(RmsNormSizes, EveryInstructionSetAgreesWithTheReference) {
  auto [rows, cols] = GetParam();
  Tensor x = RandomTensor({rows, cols}, 1, 3.0f), weight = RandomTensor({cols}, 2), dy = RandomTensor({rows, cols}, 3);
  ExpectIsasAgree(
      [&] {
        RmsNormResult forward = RmsNorm(x, weight, 1e-5f);
        return std::vector<Tensor>{forward.y, forward.rstd};
      },
      2e-6, 1e-6);
  Tensor rstd = RmsNorm(x, weight, 1e-5f).rstd;
  ExpectIsasAgree(
      [&] {
        Slot dx(Poisoned(x.shape())), dweight(Poisoned(weight.shape()));
        RmsNormBackward(dy, x, weight, rstd, dx, dweight);
        return std::vector<Tensor>{dx.destination(), dweight.destination()};
      },
      1e-5, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Odd, RmsNormSizes,
                         testing::Values(std::pair{1, 1}, std::pair{3, 7}, std::pair{2, 16}, std::pair{5, 17},
                                         std::pair{65, 31}, std::pair{130, 48}, std::pair{129, 257},
                                         std::pair{1, 4096}));

TEST(RmsNormTest, ARowDoesNotDependOnItsNeighbours) {
  Tensor x = RandomTensor({9, 33}, 4), weight = RandomTensor({33}, 5);
  ForEachIsa([&](Isa) {
    Tensor all = RmsNorm(x, weight, 1e-6f).y;
    for (int64_t n = 0; n < 9; ++n)
      EXPECT_TRUE(SameBits(RmsNorm(x.Slice(0, n, n + 1), weight, 1e-6f).y, all.Slice(0, n, n + 1)));
  });
}

TEST(RmsNormTest, SlotsAddAndStayInside) {
  Tensor x = RandomTensor({5, 19}, 6), weight = RandomTensor({19}, 7), dy = RandomTensor({5, 19}, 8);
  ForEachIsa([&](Isa) {
    Everything once = RunBoth(x, weight, dy);
    Guarded dx_memory({5, 19}), dw_memory({19});
    Slot first_dx(dx_memory.tensor), first_dw(dw_memory.tensor);
    RmsNormBackward(dy, x, weight, once.rstd, first_dx, first_dw);
    Slot again_dx(dx_memory.tensor, /*accumulate=*/true), again_dw(dw_memory.tensor, /*accumulate=*/true);
    RmsNormBackward(dy, x, weight, once.rstd, again_dx, again_dw);
    EXPECT_TRUE(dx_memory.GuardIntact() && dw_memory.GuardIntact());
    for (int64_t i = 0; i < 19; ++i)
      EXPECT_FLOAT_EQ(dw_memory.tensor.data<float>()[i], 2 * once.dweight.data<float>()[i]);
    for (int64_t i = 0; i < 95; ++i) EXPECT_FLOAT_EQ(dx_memory.tensor.data<float>()[i], 2 * once.dx.data<float>()[i]);
    Slot nobody;
    RmsNormBackward(dy, x, weight, once.rstd, nobody, nobody);
  });
}

TEST(RmsNormTest, ZeroRowsAndZeros) {
  ForEachIsa([&](Isa) {
    EXPECT_EQ(RmsNorm(Tensor::Zeros({0, 8}, DType::kF32), RandomTensor({8}, 1), 1e-5f).y.elements(), 0);
    Tensor y = RmsNorm(Tensor::Zeros({2, 8}, DType::kF32), RandomTensor({8}, 1), 1e-5f).y;
    EXPECT_EQ(y.ToVector<float>(), std::vector<float>(16, 0.0f));
    Slot dx, dweight(Poisoned({8}));
    Tensor none = Tensor::Zeros({0, 8}, DType::kF32);
    RmsNormBackward(none, none, RandomTensor({8}, 1), Tensor::Zeros({0}, DType::kF32), dx, dweight);
    EXPECT_EQ(dweight.destination().ToVector<float>(), std::vector<float>(8, 0.0f));
  });
}

TEST(RmsNormTest, CudaAgreesWithTheReference) {
  absl::StatusOr<Device> device = ParseDevice("cuda:0");
  if (!device.ok()) GTEST_SKIP() << device.status();
  for (auto [rows, cols] : {std::pair<int64_t, int64_t>{1, 1}, {5, 17}, {130, 48}, {129, 257}, {3, 4096}}) {
    Tensor x = RandomTensor({rows, cols}, 1, 3.0f), weight = RandomTensor({cols}, 2),
           dy = RandomTensor({rows, cols}, 3);
    Everything want = RunBoth(x, weight, dy);
    RmsNormResult forward = RmsNorm(x.To(*device), weight.To(*device), 1e-5f);
    Slot dx(Poisoned(x.shape()).To(*device)), dweight(Poisoned(weight.shape()).To(*device));
    RmsNormBackward(dy.To(*device), x.To(*device), weight.To(*device), forward.rstd, dx, dweight);
    EXPECT_TRUE(AllClose(forward.y.To(Cpu()), want.y, 2e-6, 1e-6));
    EXPECT_TRUE(AllClose(forward.rstd.To(Cpu()), want.rstd, 2e-6, 0));
    EXPECT_TRUE(AllClose(dx.destination().To(Cpu()), want.dx, 1e-5, 1e-5));
    EXPECT_TRUE(AllClose(dweight.destination().To(Cpu()), want.dweight, 1e-5, 1e-5));
  }
}

TEST(RmsNormTest, NamesWhatDoesNotFit) {
  EXPECT_DEATH(RmsNorm(RandomTensor({2, 8}, 1), RandomTensor({7}, 1), 1e-5f),
               "weight is \\[C\\]; got x=f32\\[2,8\\]@cpu, weight=f32\\[7\\]@cpu");
  Tensor x = RandomTensor({2, 8}, 1), weight = RandomTensor({8}, 2), rstd = RandomTensor({2}, 3);
  Slot short_dx(Poisoned({2, 7})), short_dweight(Poisoned({7})), nobody;
  EXPECT_DEATH(RmsNormBackward(x, x, weight, rstd, short_dx, nobody), "dx is like x; got dx=f32\\[2,7\\]@cpu");
  EXPECT_DEATH(RmsNormBackward(x, x, weight, rstd, nobody, short_dweight),
               "dweight is like weight; got dweight=f32\\[7\\]@cpu, weight=f32\\[8\\]@cpu");
}

}  // namespace
}  // namespace quern
