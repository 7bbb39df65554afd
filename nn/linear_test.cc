#include "nn/linear.h"

#include "autograd/functions.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"
#include "nn/parameter.h"

namespace quern::nn {
namespace {

Linear Random(WeightLayout layout, bool bias) {
  Linear linear(40, 24, layout, bias);
  linear.Visit("l", [](std::string_view name, Var& p) { p.mutable_value() = RandomTensor(p.shape(), name.size()); });
  return linear;
}

class LinearTest : public testing::TestWithParam<WeightLayout> {};

TEST_P(LinearTest, PackedOrNotIsTheSame) {
  Linear linear = Random(GetParam(), true);
  Tensor x = RandomTensor({5, 40}, 1);
  Tensor on_tape = linear(x).value();
  NoGrad no_grad;
  EXPECT_TRUE(SameBits(linear(x).value(), on_tape));
  EXPECT_TRUE(SameBits(linear(x).value(), on_tape));
}

// A packed copy dies with the parameter's version, and with its memory.
TEST_P(LinearTest, SeesEveryChangeOfItsWeight) {
  Linear linear = Random(GetParam(), false);
  Tensor x = RandomTensor({3, 40}, 1);
  auto expect_current = [&](const char* what) {
    Tensor on_tape = linear(x).value();
    NoGrad no_grad;
    EXPECT_TRUE(SameBits(linear(x).value(), on_tape)) << what;
  };
  auto packed = [&] {
    NoGrad no_grad;
    return linear(x).value();
  };
  Tensor before = packed();
  linear.weight.mutable_value().mutable_data<float>()[3] += 1;  // in place
  EXPECT_FALSE(SameBits(packed(), before));
  expect_current("in place");

  before = packed();
  Tensor arena = RandomTensor({2, linear.weight.value().elements()}, 9);
  linear.weight.mutable_value() = arena.Slice(0, 0, 1).Reshape(linear.weight.shape());
  EXPECT_FALSE(SameBits(packed(), before));
  before = packed();
  linear.weight.mutable_value() = arena.Slice(0, 1, 2).Reshape(linear.weight.shape());  // same storage, same version
  EXPECT_FALSE(SameBits(packed(), before));
  expect_current("replaced");
}

TEST_P(LinearTest, AFrozenWeightPassesTheGradientOn) {
  Linear linear = Random(GetParam(), true);
  Var x = Var::Parameter(RandomTensor({3, 40}, 1));
  Backward(Sum(linear(x)));
  Tensor dx = x.grad().Clone();
  x.ClearGrad();
  Linear frozen = Random(GetParam(), true);
  frozen.weight.set_requires_grad(false);
  Backward(Sum(frozen(x)));
  EXPECT_TRUE(SameBits(x.grad(), dx));
  EXPECT_FALSE(frozen.weight.grad().defined());
  EXPECT_TRUE(frozen.bias.grad().defined());
}

INSTANTIATE_TEST_SUITE_P(Layouts, LinearTest, testing::Values(WeightLayout::kOutIn, WeightLayout::kInOut));

TEST(TiedLinearTest, SharesTheTable) {
  Var table = Var::Parameter(RandomTensor({7, 4}, 1));
  Linear head = Linear::Tied(table);
  Tensor x = RandomTensor({2, 4}, 2);
  NoGrad no_grad;
  Tensor before = head(x).value();
  table.mutable_value() = RandomTensor({7, 4}, 3);
  EXPECT_FALSE(SameBits(head(x).value(), before));
}

}  // namespace
}  // namespace quern::nn
