#include "nn/init.h"

#include <cmath>
#include <vector>

#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern::nn {
namespace {

double NormalCdf(double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); }

TEST(NormalQuantileTest, InvertsTheDistribution) {
  for (int i = 1; i < 4000; ++i) {
    double u = i / 4000.0;
    EXPECT_NEAR(NormalCdf(NormalQuantile(u)), u, 4e-16) << u;
  }
  for (double u = 1e-300; u < 0.02; u *= 3) EXPECT_NEAR(NormalCdf(NormalQuantile(u)) / u, 1, 3e-12) << u;
  EXPECT_EQ(NormalQuantile(0.5), 0);
  EXPECT_EQ(NormalQuantile(0.25), -NormalQuantile(0.75));
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-15);
}

TEST(InitializerTest, NormalHasItsMoments) {
  Var p = Var::Parameter(Tensor::Empty({1000, 333}, DType::kF32));
  Initializer(7).Normal(p, 0.02);
  double sum = 0, squares = 0, fourth = 0, n = static_cast<double>(p.value().elements());
  for (float v : p.value().ToVector<float>()) {
    double z = static_cast<double>(v) / 0.02;
    sum += z;
    squares += z * z;
    fourth += z * z * z * z;
  }
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(fourth / n, 3, 5 * std::sqrt(96 / n));
}

TEST(InitializerTest, ParametersAndSeedsDifferAndThreadsDoNot) {
  auto draw = [](uint64_t seed, int threads) {
    ThreadPool pool(threads);
    ScopedThreadPool scope(pool);
    std::vector<Var> p = {Var::Parameter(Tensor::Empty({50001}, DType::kF32)),
                          Var::Parameter(Tensor::Empty({50001}, DType::kF32))};
    Initializer init(seed);
    for (Var& v : p) init.Normal(v, 1);
    return p;
  };
  std::vector<Var> a = draw(1, 1), b = draw(1, 3), c = draw(2, 1);
  EXPECT_TRUE(SameBits(a[0].value(), b[0].value()));
  EXPECT_TRUE(SameBits(a[1].value(), b[1].value()));
  EXPECT_FALSE(SameBits(a[0].value(), a[1].value()));
  EXPECT_FALSE(SameBits(a[0].value(), c[0].value()));
}

// Weights are recorded by their digests, so these bits are part of the format.
TEST(InitializerTest, KnownBits) {
  Var p = Var::Parameter(Tensor::Empty({5}, DType::kF32));
  Initializer(42).Normal(p, 1);
  // From Philox in Python and SciPy's ndtri, rounded to f32.
  EXPECT_EQ(p.value().ToVector<float>(),
            (std::vector<float>{0x1.afcccp-1f, -0x1.1369eap-5f, 0x1.949dc2p-1f, -0x1.7551f8p-1f, -0x1.19cfc8p+0f}));
}

}  // namespace
}  // namespace quern::nn
