#include "kernels/embedding/embedding.h"

#include <utility>
#include <vector>

#include "base/rng.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

Tensor Ids(const std::vector<int32_t>& ids) { return Tensor::Of(ids, {static_cast<int64_t>(ids.size())}); }

// Low ids are frequent, as in text.
Tensor RandomIds(int64_t count, int64_t vocabulary, uint64_t seed) {
  std::vector<int32_t> ids;
  for (int64_t n = 0; n < count; ++n) {
    float u = UniformFloat(RandomWords({seed, RngStream::kTest}, 2, 0, n)[0]);
    ids.push_back(static_cast<int32_t>(u * u * static_cast<float>(vocabulary)));
  }
  return Ids(ids);
}

struct Sizes {
  int64_t vocabulary, cols, count;
};

class EmbeddingSizes : public testing::TestWithParam<Sizes> {};
INSTANTIATE_TEST_SUITE_P(Odd, EmbeddingSizes,
                         testing::Values(Sizes{1, 1, 1}, Sizes{3, 7, 5}, Sizes{65, 16, 200}, Sizes{10, 63, 77},
                                         Sizes{50, 257, 300}, Sizes{300, 768, 129}, Sizes{9, 33, 0},
                                         Sizes{2, 64, 1000}));

TEST_P(EmbeddingSizes, EveryInstructionSetAgreesWithTheReference) {
  auto [vocabulary, cols, count] = GetParam();
  Tensor table = RandomTensor({vocabulary, cols}, 1), ids = RandomIds(count, vocabulary, 2),
         dy = RandomTensor({count, cols}, 3);
  ExpectIsasAgree(
      [&, vocabulary = vocabulary, cols = cols] {
        Guarded memory({vocabulary, cols});
        Slot fresh(memory.tensor), adding(RandomTensor({vocabulary, cols}, 4), /*accumulate=*/true), nobody;
        EmbeddingBackward(dy, ids, fresh);
        EmbeddingBackward(dy, ids, adding);
        EmbeddingBackward(dy, ids, nobody);
        EXPECT_TRUE(memory.GuardIntact());
        return std::vector<Tensor>{Embedding(table, ids), fresh.destination(), adding.destination()};
      },
      1e-6, 2e-5);
}

TEST(EmbeddingTest, RowsAreCopiesAndGradientsAreSumsInOrder) {
  Tensor table = RandomTensor({4, 3}, 5), dy = Tensor::Of({1, 2, 3, 10, 20, 30, 100, 200, 300}, {3, 3});
  ForEachIsa([&](Isa) {
    Tensor y = Embedding(table, Ids({2, 0, 2}));
    EXPECT_TRUE(SameBits(y.Slice(0, 0, 1), table.Slice(0, 2, 3)));
    EXPECT_TRUE(SameBits(y.Slice(0, 1, 2), table.Slice(0, 0, 1)));
    EXPECT_TRUE(SameBits(y.Slice(0, 2, 3), table.Slice(0, 2, 3)));
    Slot dtable(Poisoned({4, 3}));
    EmbeddingBackward(dy, Ids({2, 0, 2}), dtable);
    EXPECT_EQ(dtable.destination().ToVector<float>(),
              (std::vector<float>{10, 20, 30, 0, 0, 0, 101, 202, 303, 0, 0, 0}));
  });
}

TEST(EmbeddingTest, SumsAscendWhateverTheOrderOfOtherIds) {
  // 1e8 + 1 - 1e8 is 0 in this order alone.
  Tensor dy = Tensor::Of({1e8f, 5, 1, 7, -1e8f}, {5, 1});
  ForEachIsa([&](Isa isa) {
    Slot dtable(Poisoned({2, 1}));
    EmbeddingBackward(dy, Ids({1, 0, 1, 0, 1}), dtable);
    EXPECT_EQ(dtable.destination().ToVector<float>(), (std::vector<float>{12, isa == Isa::kReference ? 1.0f : 0.0f}));
  });
}

TEST(EmbeddingTest, NoIds) {
  ForEachIsa([&](Isa) {
    Tensor none = Tensor::Zeros({0}, DType::kI32);
    EXPECT_EQ(Embedding(RandomTensor({4, 3}, 6), none).elements(), 0);
    Slot dtable(Poisoned({4, 3}));
    EmbeddingBackward(Tensor::Zeros({0, 3}, DType::kF32), none, dtable);
    EXPECT_EQ(dtable.destination().ToVector<float>(), std::vector<float>(12, 0.0f));
  });
}

TEST(EmbeddingTest, NamesWhatDoesNotFit) {
  Tensor table = RandomTensor({4, 3}, 7);
  EXPECT_DEATH(Embedding(table, Ids({0, 4})), "ids are in \\[0, 4\\); got ids\\[1\\]=4");
  EXPECT_DEATH(Embedding(table, Ids({-1})), "got ids\\[0\\]=-1");
  EXPECT_DEATH(Embedding(table, RandomTensor({3}, 1)), "ids are contiguous i32 \\[N\\]");
}

}  // namespace
}  // namespace quern
