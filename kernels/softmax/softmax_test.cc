#include "kernels/softmax/softmax.h"

#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();

class SoftmaxSizes : public testing::TestWithParam<std::pair<int64_t, int64_t>> {};
INSTANTIATE_TEST_SUITE_P(Odd, SoftmaxSizes,
                         testing::Values(std::pair{1, 1}, std::pair{3, 7}, std::pair{2, 16}, std::pair{5, 17},
                                         std::pair{130, 65}, std::pair{129, 257}, std::pair{2, 50257},
                                         std::pair{0, 9}));

TEST_P(SoftmaxSizes, EveryInstructionSetAgreesWithTheReference) {
  auto [rows, cols] = GetParam();
  Tensor x = RandomTensor({rows, cols}, 1, 9.0f), dy = RandomTensor({rows, cols}, 2);
  ExpectIsasAgree([&] { return std::vector<Tensor>{Softmax(x), LogSoftmax(x)}; }, 3e-6, 3e-6);
  Tensor y = Softmax(x), log_y = LogSoftmax(x);
  ExpectIsasAgree(
      [&, rows = rows, cols = cols] {
        std::vector<Tensor> results;
        for (bool log : {false, true}) {
          Guarded memory({rows, cols});
          Slot fresh(memory.tensor), adding(RandomTensor({rows, cols}, 3), /*accumulate=*/true), nobody;
          for (Slot* dx : {&fresh, &adding, &nobody})
            log ? LogSoftmaxBackward(dy, log_y, *dx) : SoftmaxBackward(dy, y, *dx);
          EXPECT_TRUE(memory.GuardIntact());
          results.push_back(fresh.destination());
          results.push_back(adding.destination());
        }
        return results;
      },
      3e-6, 1e-5);
}

TEST(SoftmaxTest, RowsSumToOneAndShiftsChangeNothing) {
  Tensor x = RandomIntegers({20, 100}, 4), shifted = x.Clone();
  for (int64_t i = 0; i < x.elements(); ++i) shifted.mutable_data<float>()[i] += 1000.0f;
  ForEachIsa([&](Isa) {
    Tensor y = Softmax(x);
    EXPECT_TRUE(SameBits(Softmax(shifted), y));
    EXPECT_TRUE(SameBits(LogSoftmax(shifted), LogSoftmax(x))) << "the differences are exact";
    for (int64_t n = 0; n < 20; ++n) {
      double sum = 0;
      for (int64_t c = 0; c < 100; ++c) sum += y.data<float>()[n * 100 + c];
      EXPECT_NEAR(sum, 1.0, 1e-6);
    }
  });
}

TEST(SoftmaxTest, ARowDoesNotDependOnItsNeighbours) {
  Tensor x = RandomTensor({9, 33}, 5, 5.0f);
  ForEachIsa([&](Isa) {
    Tensor y = Softmax(x), log_y = LogSoftmax(x);
    for (int64_t n = 0; n < 9; ++n) {
      EXPECT_TRUE(SameBits(Softmax(x.Slice(0, n, n + 1)), y.Slice(0, n, n + 1)));
      EXPECT_TRUE(SameBits(LogSoftmax(x.Slice(0, n, n + 1)), log_y.Slice(0, n, n + 1)));
    }
  });
}

TEST(SoftmaxTest, MasksAreExactAndNanShows) {
  std::vector<float> rows(3 * 20, 0.5f);
  for (int i = 3; i < 20; ++i) rows[i] = -kInf;   // the first three are left
  for (int i = 20; i < 40; ++i) rows[i] = -kInf;  // none
  rows[47] = NAN;
  ForEachIsa([&](Isa) {
    std::vector<float> y = Softmax(Tensor::Of(rows, {3, 20})).ToVector<float>();
    std::vector<float> log_y = LogSoftmax(Tensor::Of(rows, {3, 20})).ToVector<float>();
    for (int i = 0; i < 20; ++i) {
      EXPECT_FLOAT_EQ(y[i], i < 3 ? 1.0f / 3 : 0.0f);
      EXPECT_EQ(std::isinf(log_y[i]), i >= 3);
      EXPECT_TRUE(std::isnan(y[20 + i]) && std::isnan(log_y[20 + i]));
      EXPECT_TRUE(std::isnan(y[40 + i]) && std::isnan(log_y[40 + i]));
    }
  });
}

TEST(SoftmaxTest, NamesWhatDoesNotFit) {
  Slot dx(Poisoned({2, 7}));
  EXPECT_DEATH(SoftmaxBackward(RandomTensor({2, 8}, 1), RandomTensor({2, 8}, 2), dx),
               "equal shapes; got dx=f32\\[2,7\\]@cpu");
  EXPECT_DEATH(Softmax(RandomTensor({2, 8}, 1).Transpose(0, 1)), "takes contiguous f32");
}

}  // namespace
}  // namespace quern
