#include "kernels/elementwise/elementwise.h"

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

// Ends inside a vector, at its end, inside a block, and beyond what one thread takes.
class ElementwiseSizes : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Odd, ElementwiseSizes, testing::Values(0, 1, 7, 15, 16, 17, 63, 65, 1000, 40001));

Tensor Filled(const Shape& shape, float value) {
  Tensor t = Poisoned(shape);
  Fill(t, value);
  return t;
}

// Runs `to` on a slot that overwrites poison, then on one that adds to ones.
template <typename To>
std::vector<Tensor> BothWays(const Shape& shape, const To& to) {
  Slot fresh(Poisoned(shape)), adding(Filled(shape, 1.0f), /*accumulate=*/true), nobody;
  to(fresh);
  to(adding);
  to(nobody);
  return {fresh.destination(), adding.destination()};
}

TEST_P(ElementwiseSizes, ArithmeticIsExactlyRounded) {
  Tensor a = RandomTensor({GetParam()}, 1, 5.0f), b = RandomTensor({GetParam()}, 2, 5.0f);
  ExpectIsasAgree(
      [&] {
        return std::vector<Tensor>{Add(a, b), Mul(a, b), Scale(a, 0.3f), Filled({GetParam()}, 2.5f)};
      },
      0, 0);
  ExpectIsasAgree([&] { return BothWays(a.shape(), [&](Slot& out) { MulTo(a, b, out); }); }, 2e-7, 2e-7);
  ExpectIsasAgree([&] { return BothWays(a.shape(), [&](Slot& out) { ScaleTo(a, -1.7f, out); }); }, 2e-7, 2e-7);
  ExpectIsasAgree(
      [&] {
        Tensor sum = a.Clone();
        AddInto(sum, b);
        return std::vector<Tensor>{sum};
      },
      0, 0);
}

TEST_P(ElementwiseSizes, ActivationsAndTheirGradients) {
  Tensor x = RandomTensor({GetParam()}, 3, 8.0f), dy = RandomTensor({GetParam()}, 4);
  ExpectIsasAgree(
      [&] {
        return std::vector<Tensor>{Gelu(x, GeluKind::kErf), Gelu(x, GeluKind::kTanh), Silu(x)};
      },
      2e-6, 1e-6);
  // 5 ulp (simd_math.h).
  ExpectIsasAgree([&] { return std::vector<Tensor>{Tanh(x), Sigmoid(x), Erf(x)}; }, 6e-7, 0);
  for (GeluKind kind : {GeluKind::kErf, GeluKind::kTanh}) {
    ExpectIsasAgree(
        [&] { return BothWays(x.shape(), [&](Slot& dx) { GeluBackward(dy, x, Gelu(x, kind), kind, dx); }); }, 3e-6,
        1e-6);
  }
  ExpectIsasAgree([&] { return BothWays(x.shape(), [&](Slot& dx) { SiluBackward(dy, x, dx); }); }, 3e-6, 1e-6);
}

TEST_P(ElementwiseSizes, SwiGluAndEitherGradientAlone) {
  Tensor gate = RandomTensor({GetParam()}, 5, 8.0f), up = RandomTensor({GetParam()}, 6),
         dy = RandomTensor({GetParam()}, 7);
  ExpectIsasAgree([&] { return std::vector<Tensor>{SwiGlu(gate, up)}; }, 2e-6, 1e-6);
  ExpectIsasAgree(
      [&] {
        Slot dgate(Poisoned(gate.shape())), dup(Filled(gate.shape(), 1.0f), /*accumulate=*/true), nobody;
        SwiGluBackward(dy, gate, up, dgate, dup);
        Slot dgate_alone(Poisoned(gate.shape())), dup_alone(Poisoned(gate.shape()));
        SwiGluBackward(dy, gate, up, dgate_alone, nobody);
        SwiGluBackward(dy, gate, up, nobody, dup_alone);
        SwiGluBackward(dy, gate, up, nobody, nobody);
        EXPECT_TRUE(SameBits(dgate.destination(), dgate_alone.destination()));
        return std::vector<Tensor>{dgate.destination(), dup.destination(), dup_alone.destination()};
      },
      3e-6, 1e-6);
}

TEST_P(ElementwiseSizes, CastsRoundToNearestEvenAndWidenExactly) {
  Tensor x = RandomTensor({GetParam()}, 8, 100.0f);
  ExpectIsasAgree(
      [&] {
        Tensor narrow = Cast(x, DType::kBF16);
        return std::vector<Tensor>{narrow, Cast(narrow, DType::kF32), Cast(narrow, DType::kBF16), Cast(x, DType::kF32)};
      },
      0, 0);
}

TEST(ElementwiseTest, CastOfTiesInfinitiesAndNan) {
  const float nan = std::bit_cast<float>(0x7F800001u);  // signalling: cut short, it would be an infinity
  std::vector<float> values = {1.0f,  1.00390625f, 1.01171875f, -0.0f,     kInf,
                               -kInf, nan,         3.4e38f,     0x1p-149f, 0x1.8p-133f};
  ForEachIsa([&](Isa) {
    Tensor narrow = Cast(Tensor::Of(values, {static_cast<int64_t>(values.size())}), DType::kBF16);
    std::vector<float> wide = Cast(narrow, DType::kF32).ToVector<float>();
    EXPECT_EQ(wide[1], 1.0f) << "a tie goes to even, down";
    EXPECT_EQ(wide[2], 1.015625f) << "a tie goes to even, up";
    EXPECT_TRUE(wide[3] == 0 && std::signbit(wide[3]));
    EXPECT_TRUE(wide[4] == kInf && wide[5] == -kInf && std::isnan(wide[6]));
    EXPECT_EQ(wide[7], kInf) << "beyond the greatest bf16";
    EXPECT_EQ(wide[8], 0.0f);
    EXPECT_EQ(wide[9], 0x1p-132f) << "a denormal, tied";
  });
}

TEST(ElementwiseTest, AddRowRepeatsTheRow) {
  for (auto [rows, cols] : {std::pair<int64_t, int64_t>{3, 1}, {5, 17}, {70, 33}, {129, 512}, {0, 8}}) {
    Tensor a = RandomTensor({rows, cols}, 9), row = RandomTensor({cols}, 10);
    ExpectIsasAgree(
        [&, rows = rows, cols = cols] {
          return std::vector<Tensor>{AddRow(a, row), AddRow(a.Reshape({1, rows, cols}), row)};
        },
        0, 0);
  }
}

TEST(ElementwiseTest, OutputsStayInside) {
  Tensor a = RandomTensor({5, 19}, 11), b = RandomTensor({5, 19}, 12), dy = RandomTensor({5, 19}, 13);
  ForEachIsa([&](Isa) {
    Guarded fill({5, 19}), product({5, 19}), gelu({5, 19}), dgate({5, 19}), dup({5, 19}), dropped({5, 19});
    Fill(fill.tensor, 1.0f);
    Slot to_product(product.tensor), to_gelu(gelu.tensor), to_gate(dgate.tensor), to_up(dup.tensor),
        to_dropped(dropped.tensor);
    MulTo(a, b, to_product);
    GeluBackward(dy, a, Gelu(a, GeluKind::kTanh), GeluKind::kTanh, to_gelu);
    SwiGluBackward(dy, a, b, to_gate, to_up);
    DropoutBackward(dy, 0.3f, {}, to_dropped);
    for (const Guarded* guarded : {&fill, &product, &gelu, &dgate, &dup, &dropped}) EXPECT_TRUE(guarded->GuardIntact());
  });
}

TEST(ElementwiseTest, OneOperandMayBeTheDestination) {
  Tensor x = RandomTensor({70}, 14);
  ForEachIsa([&](Isa) {
    Tensor twice = x.Clone();
    Slot self(twice);
    ScaleTo(twice, 2.0f, self);
    EXPECT_TRUE(SameBits(twice, Add(x, x)));
    Tensor sum = x.Clone();
    AddInto(sum, sum);
    EXPECT_TRUE(SameBits(sum, twice));
  });
}

TEST(ElementwiseTest, LargeInputsReachTheirLimitsAndNanStays) {
  Tensor x = Tensor::Of({0.0f, 20.0f, -20.0f, 1e13f, -1e13f, 1e30f, -1e30f, NAN}, {8}), dy = Filled({8}, 1.0f);
  ForEachIsa([&](Isa) {
    for (const Tensor& y : {Gelu(x, GeluKind::kErf), Gelu(x, GeluKind::kTanh), Silu(x)}) {
      const float* v = y.data<float>();
      EXPECT_EQ(v[0], 0.0f);
      EXPECT_NEAR(v[1], 20.0f, 1e-6);
      EXPECT_NEAR(v[2], 0.0f, 1e-6);
      EXPECT_TRUE(v[3] == 1e13f && v[4] == 0.0f && v[5] == 1e30f && v[6] == 0.0f && std::isnan(v[7])) << y;
    }
    for (const Tensor& y : {Tanh(x), Sigmoid(x), Erf(x)}) {
      const float* v = y.data<float>();
      EXPECT_EQ(v[3], 1.0f);
      EXPECT_EQ(v[5], 1.0f);
      EXPECT_TRUE(std::isnan(v[7]));
    }
    Slot erf(Poisoned({8})), tanh(Poisoned({8})), silu(Poisoned({8}));
    GeluBackward(dy, x, Gelu(x, GeluKind::kErf), GeluKind::kErf, erf);
    GeluBackward(dy, x, Gelu(x, GeluKind::kTanh), GeluKind::kTanh, tanh);
    SiluBackward(dy, x, silu);
    for (Slot* slot : {&erf, &tanh, &silu}) {
      const float* v = slot->destination().data<float>();
      EXPECT_EQ(v[0], 0.5f);
      EXPECT_NEAR(v[1], 1.0f, 1e-6);
      EXPECT_NEAR(v[2], 0.0f, 1e-6);
      EXPECT_TRUE(v[3] == 1 && v[4] == 0 && v[5] == 1 && v[6] == 0 && std::isnan(v[7]));
    }
  });
}

TEST(ElementwiseTest, KnownValues) {
  // x Phi(x) and its tanh approximation at 1 and -2, by hand from tables of the normal distribution.
  Tensor x = Tensor::Of({1.0f, -2.0f}, {2});
  ForEachIsa([&](Isa) {
    EXPECT_TRUE(AllClose(Gelu(x, GeluKind::kErf), Tensor::Of({0.841344746f, -0.045500264f}, {2}), 2e-6, 0));
    EXPECT_TRUE(AllClose(Gelu(x, GeluKind::kTanh), Tensor::Of({0.841191991f, -0.045402306f}, {2}), 2e-6, 0));
    EXPECT_TRUE(AllClose(Silu(x), Tensor::Of({0.731058579f, -0.238405844f}, {2}), 2e-6, 0));
    EXPECT_TRUE(AllClose(Tanh(x), Tensor::Of({0.761594156f, -0.964027580f}, {2}), 6e-7, 0));
    EXPECT_TRUE(AllClose(Sigmoid(x), Tensor::Of({0.731058579f, 0.119202922f}, {2}), 6e-7, 0));
    EXPECT_TRUE(AllClose(Erf(x), Tensor::Of({0.842700793f, -0.995322265f}, {2}), 6e-7, 0));
  });
}

// What the header says, from base/rng.h alone.
std::vector<float> DropoutByDefinition(const Tensor& x, float p, const DropoutDraw& draw) {
  std::vector<float> y;
  for (int64_t i = 0; i < x.elements(); ++i) {
    uint64_t element = draw.first_element + i;
    float u = UniformFloat(RandomWords(draw.key, draw.step, draw.micro_batch, element / 4)[element % 4]);
    y.push_back(u >= p ? x.data<float>()[i] * static_cast<float>(1 / (1 - double{p})) : 0.0f);
  }
  return y;
}

TEST_P(ElementwiseSizes, DropoutIsItsDefinition) {
  Tensor x = RandomTensor({GetParam()}, 15);
  // The second crosses 2^32 groups within a vector.
  for (DropoutDraw draw :
       {DropoutDraw{{42, RngStream::kDropout}, 7, 3, 0},
        DropoutDraw{{uint64_t{1} << 40, RngStream::kDropout}, 0xFFFFFFFFu, 1, (uint64_t{1} << 34) - 20}}) {
    Tensor want = Tensor::Of(DropoutByDefinition(x, 0.3f, draw), x.shape());
    ForEachIsa([&](Isa) {
      EXPECT_TRUE(SameBits(Dropout(x, 0.3f, draw), want));
      Slot dx(Poisoned(x.shape())), adding(x.Clone(), /*accumulate=*/true);
      DropoutBackward(x, 0.3f, draw, dx);
      EXPECT_TRUE(SameBits(dx.destination(), want));
      DropoutBackward(x, 0.3f, draw, adding);
      EXPECT_TRUE(AllClose(adding.destination(), Add(x, want), 1e-7, 1e-7));
    });
  }
}

TEST(ElementwiseTest, DropoutDrawsPartsAsItDrawsTheWhole) {
  Tensor x = RandomTensor({256}, 16);
  DropoutDraw draw{{1, RngStream::kDropout}, 2, 3, 0}, rest = draw;
  rest.first_element = 100;
  ForEachIsa([&](Isa) {
    EXPECT_TRUE(SameBits(Dropout(x.Slice(0, 100, 256), 0.5f, rest), Dropout(x, 0.5f, draw).Slice(0, 100, 256)));
    EXPECT_TRUE(SameBits(Dropout(x, 0.0f, draw), x)) << "p = 0 keeps everything";
  });
}

TEST(ElementwiseTest, DropoutKeepsItsShare) {
  Tensor ones = Filled({100000}, 1.0f);
  int64_t kept = 0;
  for (float y : Dropout(ones, 0.1f, {{3, RngStream::kDropout}, 0, 0, 0}).ToVector<float>()) {
    EXPECT_TRUE(y == 0 || y == 1.0f / 0.9f);
    kept += y != 0;
  }
  EXPECT_NEAR(static_cast<double>(kept), 90000, 500);  // five standard deviations
}

TEST(ElementwiseTest, NamesWhatDoesNotFit) {
  Tensor a = RandomTensor({2, 8}, 1), b = RandomTensor({8, 2}, 1);
  EXPECT_DEATH(Add(a, b), "Add: equal shapes; got f32\\[2,8\\]@cpu and b=f32\\[8,2\\]@cpu");
  EXPECT_DEATH(AddRow(a, RandomTensor({7}, 1)), "AddRow: row is \\[C\\]; got a=f32\\[2,8\\]@cpu, row=f32\\[7\\]@cpu");
  EXPECT_DEATH(Silu(a.Transpose(0, 1)), "takes contiguous f32");
  EXPECT_DEATH(Dropout(a, 1.0f, {}), "p is a probability below 1");
  EXPECT_DEATH(Dropout(a, 0.5f, {{}, 0, 0, 2}), "multiple of 4");
  EXPECT_DEATH(Cast(a, DType::kI32), "f32 to bf16 or back; got x=f32\\[2,8\\]@cpu, dtype=i32");
}

}  // namespace
}  // namespace quern
