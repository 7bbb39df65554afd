#include "kernels/matmul/matmul.h"

#include <optional>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

constexpr MatmulKind kKinds[] = {MatmulKind::kNN, MatmulKind::kNT, MatmulKind::kTN};

TEST(MatmulTest, EveryInstructionSetGivesTheSameBits) {
  for (MatmulKind kind : kKinds) {
    int64_t m = 7, k = 33, n = 65;
    Tensor a = RandomTensor(kind == MatmulKind::kTN ? Shape{k, m} : Shape{m, k}, 1);
    Tensor b = RandomTensor(kind == MatmulKind::kNT ? Shape{n, k} : Shape{k, n}, 2);
    std::optional<Tensor> want;
    ForEachIsa([&](Isa) {
      Tensor got = Matmul(kind, a, b);
      if (!want) want = got;
      EXPECT_TRUE(SameBits(got, *want));
    });
  }
}

}  // namespace
}  // namespace quern
