#include "autograd/var.h"

#include <map>
#include <string>
#include <vector>

#include "autograd/functions.h"
#include "autograd/grad_check.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

constexpr WeightLayout kOutIn = WeightLayout::kOutIn;

Var Leaf(std::initializer_list<float> values) {
  return Var::Parameter(Tensor::Of(values, {static_cast<int64_t>(values.size())}));
}
std::vector<float> Values(const Tensor& t) { return t.ToVector<float>(); }
using Floats = std::vector<float>;

TEST(VarTest, ChainRuleByHand) {
  Var x = Leaf({1, 2, 3}), w = Leaf({4, 5, 6});
  Backward(Sum(Scale(Mul(x, w), 2)));
  EXPECT_EQ(Values(x.grad()), Floats({8, 10, 12}));
  EXPECT_EQ(Values(w.grad()), Floats({2, 4, 6}));
}

TEST(VarTest, MicroBatchesAccumulateUntilClearGrad) {
  Var w = Leaf({1, 2});
  for (int i = 0; i < 3; ++i) Backward(Sum(Mul(w, Var(Tensor::Of({1.0f * i, 10}, {2})))));
  EXPECT_EQ(Values(w.grad()), Floats({3, 30}));
  w.ClearGrad();
  EXPECT_FALSE(w.grad().defined());
  Backward(Sum(w));
  EXPECT_EQ(Values(w.grad()), Floats({1, 1}));
}

TEST(VarTest, BoundGradientsLandInTheirSliceOfTheArena) {
  Guarded guarded({7});
  Tensor arena = guarded.tensor;  // NaN: the first gradient must overwrite
  Var a = Leaf({1, 2}), b = Leaf({3, 4, 5});
  a.BindGrad(arena.Slice(0, 0, 2));
  b.BindGrad(arena.Slice(0, 2, 5));
  Tensor rest = arena.Slice(0, 5, 7);  // nobody's
  Fill(rest, 9);
  for (int pass = 1; pass <= 2; ++pass) {
    Backward(Add(Sum(Scale(a, 2)), Sum(Mul(b, b))));
    float p = static_cast<float>(pass);
    EXPECT_EQ(Values(arena), Floats({2 * p, 2 * p, 6 * p, 8 * p, 10 * p, 9, 9}));
  }
  a.ClearGrad();
  b.ClearGrad();
  Backward(Sum(Add(b, b)));
  EXPECT_EQ(Values(arena.Slice(0, 2, 5)), Floats({2, 2, 2}));
  EXPECT_FALSE(a.grad().defined());
  EXPECT_EQ(b.grad().raw(), arena.Slice(0, 2, 5).raw());
  EXPECT_TRUE(guarded.GuardIntact());
}

TEST(VarTest, NoGradBuildsNoClosure) {
  struct Counted {
    explicit Counted(int* count) : copies(count) {}
    Counted(const Counted& other) : copies(other.copies) { ++*copies; }
    void operator()(const Tensor& dy, Grads& out) const { out[0].Give(dy); }
    int* copies;
  };
  int copies = 0;
  Counted closure(&copies);
  Var x = Leaf({1}), constant(x.value());
  {
    NoGrad no_grad;
    EXPECT_FALSE(GradEnabled());
    EXPECT_FALSE(Record("Same", x.value(), {x}, closure).requires_grad());
  }
  EXPECT_FALSE(Record("Same", x.value(), {constant}, closure).requires_grad());
  EXPECT_EQ(copies, 0);
  EXPECT_TRUE(Record("Same", x.value(), {x}, closure).requires_grad());
  EXPECT_GT(copies, 0);
}

TEST(VarTest, FrozenLeavesCostNothing) {
  Var x = Leaf({1, 2}), w = Leaf({3, 4});
  w.set_requires_grad(false);
  bool asked = true;
  Var y = Record("Probe", x.value(), {x, w}, [&asked](const Tensor& dy, Grads& out) {
    asked = out[1].wanted();
    out[0].Give(dy);
  });
  Backward(Sum(y));
  EXPECT_FALSE(asked);
  EXPECT_FALSE(w.grad().defined());
  EXPECT_EQ(Values(x.grad()), Floats({1, 1}));
  w.set_requires_grad(true);
  Backward(Sum(Mul(x, w)));
  EXPECT_EQ(Values(w.grad()), Floats({1, 2}));
}

TEST(VarDeathTest, WritingInPlaceIsFound) {
  Var x = Leaf({1, 2}), w = Leaf({3, 4});
  Var product = Mul(x, w);
  Var loss = Sum(product);
  w.mutable_value().mutable_data<float>()[0] = 7;
  EXPECT_DEATH(Backward(loss), "Mul: input 1 was written in place");
  Var scaled = Scale(x, 2);
  Tensor alias = scaled.value();
  alias.mutable_data<float>()[0] = 7;  // before anybody reads it
  Var sum = Sum(scaled);
  EXPECT_DEATH(Backward(sum), "Scale: its result was written in place");
}

TEST(VarDeathTest, TheTapeIsGoneAfterBackward) {
  Var x = Leaf({1, 2});
  Var trunk = Mul(x, x);
  Var loss = Sum(trunk), other = Sum(Scale(trunk, 2));
  Backward(loss);
  EXPECT_EQ(Values(x.grad()), Floats({2, 4}));
  EXPECT_DEATH(Backward(loss), "freed by an earlier Backward");
  EXPECT_DEATH(Backward(other), "freed by an earlier Backward");
  EXPECT_DEATH(Backward(x), "one element");
  EXPECT_DEATH(Backward(Var(Tensor::Of({1}, {}))), "wants a gradient");
}

TEST(VarTest, MemoryOfTheTapeIsFreedAsItIsWalked) {
  Var x = Leaf({1, 2});
  Storage held;
  Var loss;
  {
    Tensor big = RandomTensor({2}, 1);
    held = big.storage();
    loss = Sum(Mul(x, Var(big)));
  }
  EXPECT_FALSE(held.unique());
  Backward(loss);
  EXPECT_TRUE(held.unique());
}

TEST(VarTest, ReadyFiresOncePerParameterWhenItsGradientIsWhole) {
  Var a = Leaf({1, 2}), b = Leaf({3, 4}), unused = Leaf({5, 6});
  std::map<std::string, int> fired;
  BackwardOptions options;
  options.on_grad_ready = [&](Var& p) {
    bool is_a = p.node() == a.node();
    ++fired[is_a ? "a" : p.node() == b.node() ? "b" : "other"];
    EXPECT_EQ(Values(p.grad()),
              is_a ? Floats({10, 13}) : Floats({3, 6}));  // from the shallow Mul, the deep one, and Sum
  };
  Var early = Mul(a, b);  // last to be walked
  Var late = Mul(Scale(a, 2), b);
  Backward(Add(Add(Sum(early), Sum(late)), Sum(a)), options);
  EXPECT_EQ(fired, (std::map<std::string, int>{{"a", 1}, {"b", 1}}));
}

TEST(VarTest, TheSameVarTwiceInOneOperation) {
  for (bool bound : {false, true}) {
    Var x = Leaf({1, 2, 3});
    Tensor arena = Poisoned({3});
    if (bound) x.BindGrad(arena);
    Backward(Sum(Add(x, x)));
    EXPECT_EQ(Values(x.grad()), Floats({2, 2, 2}));
    Backward(Sum(Mul(x, x)));
    EXPECT_EQ(Values(x.grad()), Floats({4, 6, 8}));
    Var y = Scale(x, 1);
    Backward(Sum(Mul(Add(y, y), y)));  // 2 x^2
    EXPECT_EQ(Values(x.grad()), Floats({8, 14, 20}));
  }
}

// The output head shares the table of the embedding (GPT-2).
TEST(VarTest, TiedParametersAddTheirGradients) {
  Tensor table = RandomTensor({5, 3}, 1), targets = Tensor::Of(std::vector<int32_t>{1, 4}, {2});
  Tensor ids = Tensor::Of(std::vector<int32_t>{0, 4}, {2});
  auto run = [&](Var in, Var out) {
    Backward(CrossEntropy(Linear(Embedding(in, ids), out, kOutIn, Var()), targets, 0.5f));
  };
  Var apart_in = Var::Parameter(table), apart_out = Var::Parameter(table), tied = Var::Parameter(table);
  run(apart_in, apart_out);
  run(tied, tied);
  EXPECT_TRUE(AllClose(tied.grad(), Add(apart_in.grad(), apart_out.grad()), 1e-6, 1e-7));
}

TEST(VarTest, GradientsOfAddAreNotSharedMemory) {
  Var a = Leaf({1, 2}), b = Leaf({3, 4});
  Backward(Sum(Add(a, b)));
  Backward(Sum(Scale(a, 10)));
  EXPECT_EQ(Values(a.grad()), Floats({11, 11}));
  EXPECT_EQ(Values(b.grad()), Floats({1, 1}));
}

// Scale by 2 that tells whether its gradient took the place of dy.
Var Probe(const Var& x, bool* took_place) {
  return Record("Probe", Scale(x.value(), 2), {x},
                [took_place](const Tensor& dy, Grads& out) {
                  *took_place = out[0].destination().raw() == dy.raw();
                  ScaleTo(dy, 2, out[0]);
                },
                {.over_dy = true});
}

TEST(VarTest, AGradientTakesThePlaceOfDyOnlyWhereNobodyElseHoldsIt) {
  bool took_place = false;
  Var x = Leaf({1, 2}), w = Leaf({3, 4});
  Backward(Sum(Mul(Probe(Mul(x, w), &took_place), w)));  // 2 x w^2
  EXPECT_TRUE(took_place);
  EXPECT_EQ(Values(x.grad()), Floats({18, 32}));
  EXPECT_EQ(Values(w.grad()), Floats({12, 32}));

  // Add gives the same dy to both, and the walk comes by the probe first.
  Var a = Leaf({1, 2}), b = Leaf({3, 4}), squares = Mul(b, b);
  Backward(Sum(Mul(Add(squares, Probe(Mul(a, a), &took_place)), w)));  // (b^2 + 2 a^2) w
  EXPECT_FALSE(took_place);
  EXPECT_EQ(Values(a.grad()), Floats({12, 32}));
  EXPECT_EQ(Values(b.grad()), Floats({18, 32}));

  // Memory that a parameter's gradient is bound to is written there.
  Tensor arena = Tensor::Zeros({2}, DType::kF32);
  x.BindGrad(arena);
  Backward(Sum(Mul(Probe(x, &took_place), w)));
  EXPECT_FALSE(took_place);
  EXPECT_EQ(Values(arena), Floats({6, 8}));
}

TEST(VarTest, SlicesOfARowGetTheirGradientsSideBySide) {
  Var row = Var::Parameter(RandomTensor({3, 8}, 1));
  Var whole = Scale(row, 1);
  Var q = SliceColumns(whole, 0, 4), k = SliceColumns(whole, 4, 6);  // 6..8 unused: zero
  Backward(Add(Sum(Scale(q, 2)), Sum(Scale(Reshape(k, {3, 2, 1}), 3))));
  EXPECT_EQ(Values(row.grad().Slice(0, 1, 2)), Floats({2, 2, 2, 2, 3, 3, 0, 0}));
}

TEST(VarTest, ViewsThatOverlapNestAndMixWithTheirParentAdd) {
  Var row = Var::Parameter(RandomTensor({2, 6}, 1));
  Var whole = Scale(row, 1);
  Var left = SliceColumns(whole, 0, 4), right = SliceColumns(whole, 2, 6), inner = SliceColumns(left, 1, 3);
  Var first = Scale(left, 10);
  Var direct = Scale(whole, 100);
  Var again = Scale(left, 1000);
  Backward(Sum(Add(Add(Sum(first), Sum(direct)), Add(Add(Sum(again), Sum(right)), Sum(Scale(inner, 10000))))));
  EXPECT_EQ(Values(row.grad().Slice(0, 0, 1)), Floats({1110, 11110, 11111, 1111, 101, 101}));
}

// Attention writes into the slices of the QKV row; an operation on the whole row between them must lose nothing.
TEST(VarTest, AttentionOnSlicesOfAQkvRow) {
  const std::vector<int32_t> starts = {0, 3, 5};
  auto through = [&](bool views, bool detour) {
    return [&starts, views, detour](const std::vector<Var>& in) {
      Var qkv = Scale(in[0], 1);
      auto part = [&](int i) {
        Var columns = views ? SliceColumns(qkv, 8 * i, 8 * i + 8)
                            : Scale(Reshape(SliceColumns(qkv, 8 * i, 8 * i + 8), {5, 8}), 1);
        return Reshape(columns, {5, 2, 4});
      };
      Var q = part(0);
      Var early = detour ? Scale(Sum(Mul(q, q)), 0.25f) : Scale(Sum(q), 0);
      Var between = detour ? Sum(Mul(qkv, qkv)) : Scale(Sum(qkv), 0);
      Var out = Attention(q, part(1), part(2), {starts, {}, {}, {}}, 0.5f);
      return Add(Add(Reshape(out, {5, 8}), Reshape(early, Shape())), Reshape(between, Shape()));
    };
  };
  std::vector<Tensor> inputs = {RandomTensor({5, 24}, 3)};
  EXPECT_TRUE(GradientsMatch(through(true, false), inputs));
  EXPECT_TRUE(GradientsMatch(through(true, true), inputs));
  EXPECT_TRUE(GradientsMatch(through(false, true), inputs));
}

TEST(VarTest, CrossEntropyTakesTheLogitsPlaceOnlyWhereNobodyElseHoldsThem) {
  Tensor targets = Tensor::Of(std::vector<int32_t>{2, 0}, {2});
  Var x = Var::Parameter(RandomTensor({2, 4}, 1));
  Var logits = Scale(x, 1);
  Tensor held = logits.value(), copy = held.Clone();
  Backward(CrossEntropy(logits, targets, 1));
  EXPECT_TRUE(SameBits(held, copy));
  EXPECT_TRUE(SameBits(x.value(), copy)) << "a leaf is never overwritten";
  Tensor expected = x.grad().Clone();
  x.ClearGrad();
  held = Tensor();
  Var loss = CrossEntropy(logits = Scale(x, 1), targets, 1);
  EXPECT_TRUE(SameBits(logits.value(), expected));
  Backward(loss);
  EXPECT_TRUE(SameBits(x.grad(), expected));
}

TEST(VarTest, TheSameBitsFromRunToRunAndAtAnyThreadCount) {
  auto run = [] {
    Var x = Var::Parameter(RandomTensor({40, 48}, 1)), w = Var::Parameter(RandomTensor({48, 48}, 2));
    Var b = Var::Parameter(RandomTensor({48}, 3));
    Var h = x;
    for (int i = 0; i < 3; ++i) h = Add(h, Gelu(Linear(LayerNorm(h, b, b, 1e-5f), w, kOutIn, b), GeluKind::kTanh));
    Backward(Mean(Mul(h, h)));
    return std::vector<Tensor>{x.grad(), w.grad(), b.grad()};
  };
  ExpectIsasAgree(run, 1e-4, 1e-5);
}

}  // namespace
}  // namespace quern
