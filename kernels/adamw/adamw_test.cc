#include "kernels/adamw/adamw.h"

#include <cmath>
#include <limits>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

struct State {
  Tensor parameter, master, m, v;
};

Tensor Rounded(const Tensor& x) {
  Tensor out = Tensor::Empty(x.shape(), DType::kBF16);
  for (int64_t i = 0; i < x.elements(); ++i) out.mutable_data<BFloat16>()[i] = BFloat16(x.data<float>()[i]);
  return out;
}

State FreshState(int64_t n, DType dtype) {
  State s{Tensor::Empty({n}, dtype), RandomTensor({n}, 1), Tensor::Zeros({n}, DType::kF32),
          Tensor::Zeros({n}, DType::kF32)};
  return s;
}

Tensor GradientOfStep(int64_t n, int64_t step) { return RandomTensor({n}, 100 + static_cast<uint64_t>(step), 0.1f); }

State RunSteps(int64_t n, DType dtype, int64_t steps, AdamWOptions options) {
  State s = FreshState(n, dtype);
  for (options.step = 1; options.step <= steps; ++options.step) {
    AdamW(options, s.parameter, s.master, s.m, s.v, GradientOfStep(n, options.step));
  }
  return s;
}

class AdamWSizes : public testing::TestWithParam<int64_t> {};
INSTANTIATE_TEST_SUITE_P(Odd, AdamWSizes, testing::Values(0, 1, 15, 16, 17, 1023, 1025, 20011));

TEST_P(AdamWSizes, EveryInstructionSetAgreesWithTheReference) {
  for (DType dtype : {DType::kF32, DType::kBF16}) {
    ExpectIsasAgree(
        [&] {
          State s = RunSteps(GetParam(), dtype, 3, {.learning_rate = 3e-3f, .grad_scale = 0.5f});
          EXPECT_TRUE(SameBits(s.parameter, dtype == DType::kF32 ? s.master : Rounded(s.master)));
          return std::vector<Tensor>{s.master, s.m, s.v};
        },
        2e-6, 1e-9);
  }
}

// In double, as PyTorch's documentation orders the operations.
struct Trace {
  std::vector<double> w, m, v;
};

Trace TraceInDouble(int64_t n, int64_t steps, const AdamWOptions& o) {
  Trace t;
  for (float w : RandomTensor({n}, 1).ToVector<float>()) t.w.push_back(w);
  t.m.assign(t.w.size(), 0);
  t.v.assign(t.w.size(), 0);
  double beta1 = o.beta1, beta2 = o.beta2, lr = o.learning_rate;
  for (int64_t step = 1; step <= steps; ++step) {
    Tensor grad = GradientOfStep(n, step);
    for (int64_t i = 0; i < n; ++i) {
      double g = double{grad.data<float>()[i]} * o.grad_scale;
      t.w[i] -= lr * o.weight_decay * t.w[i];
      t.m[i] = beta1 * t.m[i] + (1 - beta1) * g;
      t.v[i] = beta2 * t.v[i] + (1 - beta2) * g * g;
      double mhat = t.m[i] / (1 - std::pow(beta1, step)), vhat = t.v[i] / (1 - std::pow(beta2, step));
      t.w[i] -= lr * mhat / (std::sqrt(vhat) + o.eps);
    }
  }
  return t;
}

TEST(AdamWTest, TenStepsFollowATraceInDouble) {
  for (float decay : {0.0f, 0.01f, 0.5f}) {
    AdamWOptions options{.learning_rate = 0.01f, .beta2 = 0.95f, .weight_decay = decay, .grad_scale = 0.25f};
    Trace want = TraceInDouble(100, 10, options);
    ForEachIsa([&](Isa) {
      State got = RunSteps(100, DType::kF32, 10, options);
      for (int64_t i = 0; i < 100; ++i) {
        // The rounding of ten steps of 0.01, whose weights are below 1.
        EXPECT_NEAR(got.master.data<float>()[i], want.w[i], 1e-6 * std::abs(want.w[i]) + 2e-8) << i;
        EXPECT_NEAR(got.v.data<float>()[i], want.v[i], 1e-6 * want.v[i]);
      }
    });
  }
}

TEST(AdamWTest, TheFirstStepIsTheLearningRateWhateverTheGradient) {
  // mhat / sqrt(vhat) is the gradient's sign. The decay takes the weight of before the step.
  Tensor w = Tensor::Of({1.0f, 1.0f, -2.0f}, {3}), grad = Tensor::Of({1e-3f, -1e3f, 0.0f}, {3});
  ForEachIsa([&](Isa) {
    Tensor master = w.Clone(), m = Tensor::Zeros({3}, DType::kF32), v = Tensor::Zeros({3}, DType::kF32);
    AdamW({.learning_rate = 0.1f, .weight_decay = 0.5f}, master, master, m, v, grad);
    EXPECT_TRUE(AllClose(master, Tensor::Of({0.85f, 1.05f, -1.9f}, {3}), 2e-6, 0));
  });
}

TEST(AdamWTest, TheParameterMayBeTheMaster) {
  Tensor grad = RandomTensor({333}, 5);
  ForEachIsa([&](Isa) {
    State apart = FreshState(333, DType::kF32), alias = FreshState(333, DType::kF32);
    AdamW({}, apart.parameter, apart.master, apart.m, apart.v, grad);
    uint64_t version = alias.master.version();
    AdamW({}, alias.master, alias.master, alias.m, alias.v, grad);
    EXPECT_TRUE(SameBits(apart.parameter, alias.master) && SameBits(apart.master, alias.master));
    EXPECT_GT(alias.master.version(), version);
  });
}

TEST(AdamWTest, OutputsStayInside) {
  ForEachIsa([&](Isa) {
    Guarded parameter({37}), master({37}), m({37}), v({37});
    master.tensor.CopyFrom(RandomTensor({37}, 6));
    m.tensor.CopyFrom(Tensor::Zeros({37}, DType::kF32));
    v.tensor.CopyFrom(m.tensor);
    AdamW({}, parameter.tensor, master.tensor, m.tensor, v.tensor, RandomTensor({37}, 7));
    for (const Guarded* guarded : {&parameter, &master, &m, &v}) EXPECT_TRUE(guarded->GuardIntact());
    // bf16 has no Guarded: a slice of a larger tensor.
    Tensor wide = Tensor::Zeros({100}, DType::kBF16), narrow = wide.Slice(0, 30, 67);
    AdamW({}, narrow, master.tensor, m.tensor, v.tensor, RandomTensor({37}, 7));
    for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(wide.data<BFloat16>()[i].bits != 0, i >= 30 && i < 67) << i;
  });
}

TEST(AdamWTest, NanAndInfinityOfAGradientStayWithTheirElement) {
  Tensor grad = RandomTensor({40}, 8);
  grad.mutable_data<float>()[3] = NAN;
  grad.mutable_data<float>()[35] = std::numeric_limits<float>::infinity();
  ForEachIsa([&](Isa) {
    State s = FreshState(40, DType::kBF16);
    AdamW({}, s.parameter, s.master, s.m, s.v, grad);
    for (int64_t i = 0; i < 40; ++i) {
      EXPECT_EQ(std::isnan(s.master.data<float>()[i]), i == 3 || i == 35) << i;
      EXPECT_EQ(std::isnan(static_cast<float>(s.parameter.data<BFloat16>()[i])), i == 3 || i == 35) << i;
    }
  });
}

TEST(AdamWTest, NamesWhatDoesNotFit) {
  State s = FreshState(8, DType::kF32);
  Tensor short_grad = RandomTensor({7}, 1), integers = Tensor::Zeros({8}, DType::kI32);
  EXPECT_DEATH(AdamW({}, s.parameter, s.master, s.m, s.v, short_grad),
               "got grad=f32\\[7\\]@cpu, master=f32\\[8\\]@cpu");
  EXPECT_DEATH(AdamW({}, integers, s.master, s.m, s.v, s.m), "got parameter=i32\\[8\\]@cpu");
  EXPECT_DEATH(AdamW({.step = 0}, s.parameter, s.master, s.m, s.v, s.m), "steps count from 1");
}

}  // namespace
}  // namespace quern
