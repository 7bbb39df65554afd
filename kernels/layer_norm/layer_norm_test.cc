#include "kernels/layer_norm/layer_norm.h"

#include <cmath>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

class LayerNormSizes : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};
INSTANTIATE_TEST_SUITE_P(Odd, LayerNormSizes,
                         testing::Values(std::pair{1, 1}, std::pair{3, 7}, std::pair{2, 16}, std::pair{5, 17},
                                         std::pair{65, 31}, std::pair{130, 48}, std::pair{129, 257},
                                         std::pair{300, 100}, std::pair{1, 4096}));

TEST_P(LayerNormSizes, EveryInstructionSetAgreesWithTheReference) {
  auto [rows, cols] = GetParam();
  Tensor x = RandomTensor({rows, cols}, 1, 3.0f), weight = RandomTensor({cols}, 2), bias = RandomTensor({cols}, 3);
  Tensor dy = RandomTensor({rows, cols}, 4);
  ExpectIsasAgree(
      [&] {
        LayerNormResult r = LayerNorm(x, weight, bias, 1e-5f), plain = LayerNorm(x, weight, Tensor(), 1e-5f);
        EXPECT_TRUE(SameBits(r.rstd, plain.rstd));
        return std::vector<Tensor>{r.y, r.mean, r.rstd, plain.y};
      },
      3e-6, 2e-6);
  LayerNormResult forward = LayerNorm(x, weight, bias, 1e-5f);
  ExpectIsasAgree(
      [&, rows = rows, cols = cols] {
        Slot dx(Poisoned({rows, cols})), dweight(Poisoned({cols})), dbias(Poisoned({cols}));
        LayerNormBackward(dy, x, weight, forward.mean, forward.rstd, dx, dweight, dbias);
        return std::vector<Tensor>{dx.destination(), dweight.destination(), dbias.destination()};
      },
      1e-5, 3e-5);
}

TEST(LayerNormTest, ALargeMeanDoesNotDrownTheVariance) {
  Tensor x = Tensor::Of({10000.0f, 10001.0f, 10002.0f, 10003.0f}, {1, 4}), weight = Tensor::Of({1, 1, 1, 1}, {4});
  ForEachIsa([&](Isa) {
    LayerNormResult r = LayerNorm(x, weight, Tensor(), 0.0f);
    EXPECT_EQ(r.mean.data<float>()[0], 10001.5f);
    EXPECT_NEAR(r.rstd.data<float>()[0], 1 / std::sqrt(1.25), 1e-7);
    EXPECT_NEAR(r.y.data<float>()[3], 1.5 / std::sqrt(1.25), 1e-6);
  });
}

TEST(LayerNormTest, ARowDoesNotDependOnItsNeighbours) {
  Tensor x = RandomTensor({9, 33}, 5), weight = RandomTensor({33}, 6), bias = RandomTensor({33}, 7),
         dy = RandomTensor({9, 33}, 8);
  ForEachIsa([&](Isa) {
    LayerNormResult all = LayerNorm(x, weight, bias, 1e-6f);
    Slot all_dx(Poisoned({9, 33})), nobody;
    LayerNormBackward(dy, x, weight, all.mean, all.rstd, all_dx, nobody, nobody);
    for (int64_t n = 0; n < 9; ++n) {
      LayerNormResult one = LayerNorm(x.Slice(0, n, n + 1), weight, bias, 1e-6f);
      EXPECT_TRUE(SameBits(one.y, all.y.Slice(0, n, n + 1)));
      Slot dx(Poisoned({1, 33}));
      LayerNormBackward(dy.Slice(0, n, n + 1), x.Slice(0, n, n + 1), weight, one.mean, one.rstd, dx, nobody, nobody);
      EXPECT_TRUE(SameBits(dx.destination(), all_dx.destination().Slice(0, n, n + 1)));
    }
  });
}

TEST(LayerNormTest, SlotsAddAndStayInsideAndAreLeftAloneWhenUnwanted) {
  Tensor x = RandomTensor({70, 19}, 9), weight = RandomTensor({19}, 10), dy = RandomTensor({70, 19}, 11);
  ForEachIsa([&](Isa) {
    LayerNormResult r = LayerNorm(x, weight, Tensor(), 1e-5f);
    Guarded dx({70, 19}), dweight({19}), dbias({19});
    for (bool accumulate : {false, true}) {
      Slot to_dx(dx.tensor, accumulate), to_dweight(dweight.tensor, accumulate), to_dbias(dbias.tensor, accumulate);
      LayerNormBackward(dy, x, weight, r.mean, r.rstd, to_dx, to_dweight, to_dbias);
    }
    EXPECT_TRUE(dx.GuardIntact() && dweight.GuardIntact() && dbias.GuardIntact());
    // Each alone, and the same bits.
    Slot only_dx(Poisoned({70, 19})), only_dweight(Poisoned({19})), only_dbias(Poisoned({19})), nobody;
    LayerNormBackward(dy, x, weight, r.mean, r.rstd, only_dx, nobody, nobody);
    LayerNormBackward(dy, x, weight, r.mean, r.rstd, nobody, only_dweight, nobody);
    LayerNormBackward(dy, x, weight, r.mean, r.rstd, nobody, nobody, only_dbias);
    LayerNormBackward(dy, x, weight, r.mean, r.rstd, nobody, nobody, nobody);
    for (int64_t i = 0; i < 19; ++i) {
      EXPECT_FLOAT_EQ(dweight.tensor.data<float>()[i], 2 * only_dweight.destination().data<float>()[i]);
      EXPECT_FLOAT_EQ(dbias.tensor.data<float>()[i], 2 * only_dbias.destination().data<float>()[i]);
    }
    for (int64_t i = 0; i < 70 * 19; ++i)
      EXPECT_FLOAT_EQ(dx.tensor.data<float>()[i], 2 * only_dx.destination().data<float>()[i]);
  });
}

TEST(LayerNormTest, ZeroRowsConstantsAndNan) {
  ForEachIsa([&](Isa) {
    Tensor weight = RandomTensor({8}, 12), bias = RandomTensor({8}, 13), none = Tensor::Zeros({0, 8}, DType::kF32);
    EXPECT_EQ(LayerNorm(none, weight, bias, 1e-5f).y.elements(), 0);
    Slot dx, dweight(Poisoned({8})), dbias(Poisoned({8}));
    LayerNormBackward(none, none, weight, Tensor::Zeros({0}, DType::kF32), Tensor::Zeros({0}, DType::kF32), dx, dweight,
                      dbias);
    EXPECT_EQ(dweight.destination().ToVector<float>(), std::vector<float>(8, 0.0f));
    EXPECT_EQ(dbias.destination().ToVector<float>(), std::vector<float>(8, 0.0f));
    EXPECT_TRUE(
        SameBits(LayerNorm(Tensor::Of({3, 3, 3, 3, 3, 3, 3, 3}, {1, 8}), weight, bias, 1e-5f).y, bias.Reshape({1, 8})));
    Tensor x = RandomTensor({2, 8}, 14);
    x.mutable_data<float>()[3] = NAN;
    Tensor y = LayerNorm(x, weight, bias, 1e-5f).y;
    for (int64_t i = 0; i < 16; ++i) EXPECT_EQ(std::isnan(y.data<float>()[i]), i < 8);
  });
}

TEST(LayerNormTest, NamesWhatDoesNotFit) {
  Tensor x = RandomTensor({2, 8}, 15), weight = RandomTensor({8}, 16);
  EXPECT_DEATH(LayerNorm(x, weight, RandomTensor({7}, 1), 1e-5f),
               "bias is f32 \\[C\\]; got x=f32\\[2,8\\]@cpu, bias=f32\\[7\\]@cpu");
}

}  // namespace
}  // namespace quern
