#include "autograd/recompute.h"

#include <functional>
#include <string>
#include <vector>

#include "autograd/functions.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"
#include "tensor/memory.h"

namespace quern {
namespace {

constexpr WeightLayout kOutIn = WeightLayout::kOutIn;
constexpr int64_t kTokens = 5, kWidth = 8;

// Runs a block as it is, or again in the backward pass.
using Runner = std::function<Var(const std::function<Var()>&)>;
Var Plainly(const std::function<Var()>& block) { return block(); }
Var Again(const std::function<Var()>& block) { return Recompute(block); }

struct Leaves {
  Var x = Var::Parameter(RandomTensor({kTokens, kWidth}, 1));
  Var qkv = Var::Parameter(RandomTensor({3 * kWidth, kWidth}, 2)), out = Var::Parameter(RandomTensor({8, 8}, 3));
  Var gain = Var::Parameter(RandomTensor({kWidth}, 4)), tied = Var::Parameter(RandomTensor({8, 8}, 5));
  std::vector<Var> all() const { return {x, qkv, out, gain, tied}; }
};

// A transformer block in small: views whose gradients lie side by side, a residual branch, dropout.
Var Block(const Leaves& w, const Var& x, uint64_t site) {
  const std::vector<int32_t> starts = {0, 3, 5};
  Var row = Linear(RmsNorm(x, w.gain, 1e-5f), w.qkv, kOutIn, Var());
  auto part = [&](int64_t i) { return Reshape(SliceColumns(row, 8 * i, 8 * i + 8), {kTokens, 2, 4}); };
  Var y = Attention(part(0), part(1), part(2), {starts, {}, {}, {}}, 0.5f);
  DropoutDraw draw;
  draw.key = {7, RngStream::kDropout};
  draw.first_element = site << 40;
  Var h = Add(x, Dropout(Linear(Reshape(y, {kTokens, kWidth}), w.out, kOutIn, Var()), 0.3f, draw));
  return Add(h, Gelu(Linear(h, w.tied, kOutIn, Var()), GeluKind::kTanh));
}

struct Outcome {
  std::vector<Tensor> gradients;
  std::vector<size_t> ready;  // parameters in the order in which they were said to be
};

// Two blocks that share all weights; what lies between and around them uses the same Vars too.
Outcome Train(const Runner& run, const std::function<void(Leaves&)>& prepare) {
  Leaves w;
  prepare(w);
  Outcome outcome;
  BackwardOptions options;
  options.on_grad_ready = [&](Var& parameter) {
    for (size_t i = 0; i < w.all().size(); ++i) {
      if (parameter.node() == w.all()[i].node()) outcome.ready.push_back(i);
    }
  };
  for (int micro_batch = 0; micro_batch < 2; ++micro_batch) {
    Var x = Linear(w.x, w.tied, kOutIn, Var());
    Var first = run([=] { return Block(w, x, 1); });
    Var between = Mul(SliceColumns(first, 2, 6), SliceColumns(first, 3, 7));
    Var second = run([=] { return run([=] { return Block(w, Add(first, x), 2); }); });
    Backward(Add(Sum(Mul(second, x)), Sum(between)), options);
  }
  for (const Var& leaf : w.all()) outcome.gradients.push_back(leaf.grad());
  return outcome;
}

void ExpectTheSame(const std::function<void(Leaves&)>& prepare) {
  Outcome plain = Train(Plainly, prepare), again = Train(Again, prepare);
  EXPECT_EQ(plain.ready, again.ready);
  for (size_t i = 0; i < plain.gradients.size(); ++i) {
    SCOPED_TRACE(i);
    ASSERT_EQ(plain.gradients[i].defined(), again.gradients[i].defined());
    if (!plain.gradients[i].defined()) continue;  // frozen
    EXPECT_TRUE(SameBits(plain.gradients[i], again.gradients[i]));
  }
}

TEST(RecomputeTest, GradientsAndTheirOrderAreTheSame) {
  ExpectTheSame([](Leaves&) {});
  Outcome outcome = Train(Again, [](Leaves&) {});
  EXPECT_EQ(outcome.ready.size(), 2 * outcome.gradients.size());
}

TEST(RecomputeTest, WithGradientsInAnArena) {
  Tensor arena = Poisoned({3 * 8 * 8 + 8 * 8});
  ExpectTheSame([&](Leaves& w) {
    w.qkv.BindGrad(arena.Slice(0, 0, 192).Reshape({24, 8}));
    w.tied.BindGrad(arena.Slice(0, 192, 256).Reshape({8, 8}));
  });
}

TEST(RecomputeTest, WithFrozenLeaves) {
  for (size_t frozen = 0; frozen < 5; ++frozen) {
    ExpectTheSame([&](Leaves& w) {
      Var leaf = w.all()[frozen];
      leaf.set_requires_grad(false);
    });
  }
}

TEST(RecomputeTest, RunsTwiceAndKeepsNothingBetween) {
  Var x = Var::Parameter(RandomTensor({4}, 1));
  int runs = 0;
  Storage inside;
  Var y = Recompute([=, &runs, &inside] {
    ++runs;
    Var squares = Mul(x, x);
    inside = squares.value().storage();
    return Scale(squares, 2);
  });
  EXPECT_EQ(runs, 1);
  EXPECT_TRUE(inside.unique());
  inside = Storage();
  Var loss = Sum(y);
  {
    NoGrad no_grad;  // of no importance to a tape that is there
    Backward(loss);
    EXPECT_FALSE(GradEnabled());
  }
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(inside.unique()) << "the tape is freed as it is walked";
  EXPECT_TRUE(SameBits(x.grad(), Scale(x, 4).value()));
}

TEST(RecomputeTest, WhereNoGradientIsWantedItIsTheFunction) {
  Var x = Var::Parameter(RandomTensor({4}, 1)), constant(x.value());
  int runs = 0;
  {
    NoGrad no_grad;
    EXPECT_FALSE(Recompute([&] { return ++runs, Scale(x, 2); }).requires_grad());
  }
  EXPECT_FALSE(Recompute([&] { return ++runs, Scale(constant, 2); }).requires_grad());
  EXPECT_EQ(Recompute([&] { return ++runs, x; }).node(), x.node());
  EXPECT_EQ(runs, 3);
  // A result that nobody uses is not computed again.
  Var unused = Recompute([&] { return ++runs, Scale(x, 2); });
  Backward(Sum(x));
  EXPECT_EQ(runs, 4);
}

TEST(RecomputeTest, TakesTheMemoryOfOneBlock) {
  constexpr int64_t kRows = 512, kBlocks = 8, kBytes = kRows * 64 * 4;
  auto peak = [](const Runner& run) {
    Var x = Var::Parameter(RandomTensor({kRows, 64}, 1));
    const int64_t before = GetMemoryCounters().current_bytes;
    ResetPeak();
    Var y = x;
    for (int64_t i = 0; i < kBlocks; ++i) {
      y = run([=] {
        Var h = y;
        for (int j = 0; j < 4; ++j) h = Gelu(h, GeluKind::kTanh);
        return h;
      });
    }
    Backward(Sum(y));
    return GetMemoryCounters().peak_bytes - before;
  };
  // Results of all blocks and of the four operations of one, and gradients; plainly, of all 32 operations.
  EXPECT_LE(peak(Again), (kBlocks + 4 + 4) * kBytes);
  EXPECT_GE(peak(Plainly), 4 * kBlocks * kBytes);
}

TEST(RecomputeDeathTest, FindsWhatChangedMeanwhile) {
  Var x = Var::Parameter(RandomTensor({4}, 1)), w = Var::Parameter(RandomTensor({4}, 2));
  Var loss = Sum(Recompute([=] { return Mul(Scale(x, 2), w); }));
  w.mutable_value().mutable_data<float>()[0] = 7;
  EXPECT_DEATH(Backward(loss), "Recompute: input . was written in place");
  bool first = true;
  Var other = Sum(Recompute([=, &first] { return Scale(std::exchange(first, false) ? x : Reshape(x, {2, 2}), 2); }));
  EXPECT_DEATH(Backward(other), "Recompute: run again, the function records something else");
}

}  // namespace
}  // namespace quern
