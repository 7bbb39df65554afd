#include "kernels/rope/rope.h"

#include <cmath>
#include <optional>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

std::vector<double> Frequencies(int64_t half) {
  std::vector<double> f;
  for (int64_t i = 0; i < half; ++i)
    f.push_back(std::pow(10000.0, -static_cast<double>(i) / static_cast<double>(half)));
  return f;
}

// The definition, in complex numbers: pair i is multiplied by e^(i * angle).
Tensor Definition(const Tensor& x, const std::vector<int32_t>& positions, RopePairing pairing, double direction) {
  int64_t heads = x.dim(1), dim = x.dim(2), half = dim / 2;
  std::vector<double> f = Frequencies(half);
  Tensor y = x.Clone();
  float* out = y.mutable_data<float>();
  for (int64_t row = 0; row < x.dim(0) * heads; ++row) {
    for (int64_t i = 0; i < half; ++i) {
      float& a = out[row * dim + (pairing == RopePairing::kHalves ? i : 2 * i)];
      float& b = out[row * dim + (pairing == RopePairing::kHalves ? i + half : 2 * i + 1)];
      double angle = direction * positions[row / heads] * f[i], length = std::hypot(double{a}, double{b});
      double turned = std::atan2(double{b}, double{a}) + angle;
      a = static_cast<float>(length * std::cos(turned));
      b = static_cast<float>(length * std::sin(turned));
    }
  }
  return y;
}

constexpr RopePairing kPairings[] = {RopePairing::kHalves, RopePairing::kInterleaved};

class RopeSizes : public testing::TestWithParam<int64_t> {};

TEST_P(RopeSizes, MatchesTheDefinitionBothWays) {
  int64_t dim = GetParam();
  RopeTable table = MakeRopeTable(300, Frequencies(dim / 2));
  std::vector<int32_t> positions = {0, 1, 7, 299, 7};
  Tensor x = RandomTensor({5, 3, dim}, 1, 2.0f);
  for (RopePairing pairing : kPairings) {
    std::optional<Tensor> simd_y, simd_dx;
    ForEachIsa([&](Isa isa) {
      Tensor y = Rope(x, positions, table, pairing);
      EXPECT_TRUE(AllClose(y, Definition(x, positions, pairing, 1.0), 1e-6, 1e-6));
      Slot dx(Poisoned(x.shape()));
      RopeBackward(x, positions, table, pairing, dx);
      EXPECT_TRUE(AllClose(dx.destination(), Definition(x, positions, pairing, -1.0), 1e-6, 1e-6));
      if (isa == Isa::kReference) return;
      if (!simd_y) simd_y = y, simd_dx = dx.destination();
      EXPECT_TRUE(SameBits(y, *simd_y));
      EXPECT_TRUE(SameBits(dx.destination(), *simd_dx));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Odd, RopeSizes, testing::Values(2, 6, 16, 30, 32, 34, 64, 80, 128));

TEST(RopeTest, BackwardTurnsBack) {
  RopeTable table = MakeRopeTable(64, Frequencies(24));
  std::vector<int32_t> positions = {63, 0, 31};
  Tensor x = RandomTensor({3, 2, 48}, 2);
  ForEachIsa([&](Isa) {
    for (RopePairing pairing : kPairings) {
      Slot dx(Poisoned(x.shape()));
      RopeBackward(Rope(x, positions, table, pairing), positions, table, pairing, dx);
      EXPECT_TRUE(AllClose(dx.destination(), x, 1e-6, 1e-6));
    }
  });
}

// q and k are slices of one row of the fused projection; so are their gradients.
TEST(RopeTest, SlicesOfAWiderRowAndSlotsThatAdd) {
  RopeTable table = MakeRopeTable(16, Frequencies(11));
  std::vector<int32_t> positions = {3, 4, 5, 15};
  Tensor wide = RandomTensor({4, 5, 22}, 3), dense = wide.Slice(1, 2, 4).Clone();
  ForEachIsa([&](Isa) {
    for (RopePairing pairing : kPairings) {
      Tensor want = Rope(dense, positions, table, pairing);
      EXPECT_TRUE(SameBits(Rope(wide.Slice(1, 2, 4), positions, table, pairing), want));

      Slot alone(Poisoned(dense.shape()));
      RopeBackward(dense, positions, table, pairing, alone);
      Guarded memory({4, 5, 22});
      memory.tensor.CopyFrom(wide);
      Slot first(memory.tensor.Slice(1, 2, 4));
      RopeBackward(wide.Slice(1, 2, 4), positions, table, pairing, first);
      EXPECT_TRUE(SameBits(first.destination(), alone.destination()));
      Slot again(memory.tensor.Slice(1, 2, 4), /*accumulate=*/true);
      RopeBackward(dense, positions, table, pairing, again);
      for (int64_t i = 0; i < 4 * 2 * 22; ++i) {
        EXPECT_FLOAT_EQ(again.destination().ToVector<float>()[i], 2 * alone.destination().data<float>()[i]);
      }
      EXPECT_TRUE(SameBits(memory.tensor.Slice(1, 0, 2), wide.Slice(1, 0, 2)));
      EXPECT_TRUE(SameBits(memory.tensor.Slice(1, 4, 5), wide.Slice(1, 4, 5)));
      EXPECT_TRUE(memory.GuardIntact());
      Slot nobody;
      RopeBackward(dense, positions, table, pairing, nobody);
    }
  });
}

TEST(RopeTest, TheTableIsRoundedOnceAndScaled) {
  RopeTable table = MakeRopeTable(5000, Frequencies(4), 1.25);
  EXPECT_EQ(table.cos.data<float>()[4999 * 4 + 1], static_cast<float>(std::cos(4999.0 * Frequencies(4)[1]) * 1.25));
  EXPECT_EQ(table.sin.data<float>()[4999 * 4 + 3], static_cast<float>(std::sin(4999.0 * Frequencies(4)[3]) * 1.25));
}

TEST(RopeTest, NoRows) {
  RopeTable table = MakeRopeTable(4, Frequencies(4));
  EXPECT_EQ(Rope(Tensor::Zeros({0, 2, 8}, DType::kF32), {}, table, RopePairing::kHalves).elements(), 0);
}

TEST(RopeTest, NamesWhatDoesNotFit) {
  RopeTable table = MakeRopeTable(4, Frequencies(4));
  Tensor x = RandomTensor({1, 2, 8}, 1);
  std::vector<int32_t> beyond = {4};
  EXPECT_DEATH(Rope(x, beyond, table, RopePairing::kHalves),
               "position 4 is outside the table; got cos=f32\\[4,4\\]@cpu");
  EXPECT_DEATH(Rope(RandomTensor({1, 2, 6}, 1), beyond, table, RopePairing::kHalves),
               "the table is \\[positions, D/2\\]");
}

}  // namespace
}  // namespace quern
