#include "kernels/matmul/matmul_plan.h"

#include <array>
#include <vector>

#include "gtest/gtest.h"

namespace quern {
namespace {

TEST(MatmulPlanTest, PartsCoverEveryOutputOnce) {
  for (int threads : {1, 2, 3, 7, 16, 64}) {
    for (auto [m, k, n] : {std::array<int64_t, 3>{1, 768, 50257},
                           {256, 768, 2304},
                           {768, 128, 128},
                           {5, 5, 5},
                           {1000, 4000, 31},
                           {97, 0, 65}}) {
      MatmulArgs args{};
      args.m = m;
      args.n = n;
      args.k = k;
      args.a_k = 1;
      MatmulPlan plan = PlanMatmul(args, threads);
      ASSERT_GE(plan.parts(), 1);
      ASSERT_LE(plan.parts(), threads);
      std::vector<int> seen(m * n);
      for (int64_t index = 0; index < plan.parts(); ++index) {
        MatmulPart part = PartOf(args, plan, index, nullptr);
        EXPECT_EQ(part.column_begin % kPanel, 0);
        for (int64_t i = part.row_begin; i < part.row_end; ++i) {
          for (int64_t j = part.column_begin; j < part.column_end; ++j) ++seen[i * n + j];
        }
      }
      EXPECT_EQ(seen, std::vector<int>(m * n, 1)) << threads << ": " << m << "x" << k << "x" << n;
    }
  }
}

TEST(MatmulPlanTest, TwoThreadsShareWhatIsWorthIt) {
  MatmulArgs args{};
  args.m = args.n = args.k = 256;
  args.a_k = 1;
  EXPECT_EQ(PlanMatmul(args, 2).parts(), 2);
  args.m = 1;  // a long stream is shared as well
  args.k = 4096;
  EXPECT_EQ(PlanMatmul(args, 2).column_parts, 2);
  args.m = args.n = args.k = 16;
  EXPECT_EQ(PlanMatmul(args, 2).parts(), 1);
}

}  // namespace
}  // namespace quern
