#include "kernels/matmul/matmul.h"

#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

struct Problem {
  MatmulKind kind;
  int64_t m, k, n;

  Shape a() const { return kind == MatmulKind::kTN ? Shape{k, m} : Shape{m, k}; }
  Shape b() const { return kind == MatmulKind::kNT ? Shape{n, k} : Shape{k, n}; }
  int64_t AtA(int64_t i, int64_t p) const { return kind == MatmulKind::kTN ? p * m + i : i * k + p; }
  int64_t AtB(int64_t p, int64_t j) const { return kind == MatmulKind::kNT ? j * k + p : p * n + j; }
  std::string name() const {
    const char* kinds[] = {"NN", "NT", "TN"};
    return std::string(kinds[static_cast<int>(kind)]) + " " + std::to_string(m) + "x" + std::to_string(k) + "x" +
           std::to_string(n);
  }
};

// Around the edges of register tiles (6 x 32), of their halves and of blocks (96 rows, 256 columns, 512 and 2048 k).
std::vector<Problem> Problems() {
  constexpr int64_t kEdges[] = {1, 5, 6, 7, 12, 31, 32, 33, 63, 65, 97, 255, 257};
  std::vector<Problem> problems;
  for (MatmulKind kind : {MatmulKind::kNN, MatmulKind::kNT, MatmulKind::kTN}) {
    for (int64_t edge : kEdges) {
      problems.push_back({kind, edge, 19, 37});
      problems.push_back({kind, 7, edge, 37});
      problems.push_back({kind, 7, 19, edge});
    }
    for (auto [m, k, n] :
         {std::array<int64_t, 3>{1, 1, 1}, {6, 512, 32}, {5, 513, 31}, {13, 1025, 48}, {7, 2051, 33}, {101, 70, 259}}) {
      problems.push_back({kind, m, k, n});
    }
  }
  return problems;
}

// One chain of fused multiply-adds per output, in plain code.
Tensor Chains(const Problem& p, const Tensor& a, const Tensor& b) {
  Tensor c = Tensor::Empty({p.m, p.n}, DType::kF32);
  const float *x = a.data<float>(), *y = b.data<float>();
  float* z = c.mutable_data<float>();
  for (int64_t i = 0; i < p.m; ++i) {
    for (int64_t j = 0; j < p.n; ++j) {
      float sum = 0;
      for (int64_t q = 0; q < p.k; ++q) sum = std::fma(x[p.AtA(i, q)], y[p.AtB(q, j)], sum);
      z[i * p.n + j] = sum;
    }
  }
  return c;
}

TEST(MatmulTest, EveryOutputIsOneChainAtEverySizeKindSetAndThreadCount) {
  for (const Problem& p : Problems()) {
    SCOPED_TRACE(p.name());
    Tensor a = RandomTensor(p.a(), 1), b = RandomTensor(p.b(), 2), want = Chains(p, a, b);
    ForEachIsa([&](Isa) {
      Guarded c({p.m, p.n});
      Slot slot(c.tensor);
      MatmulTo(p.kind, a, b, slot);
      EXPECT_TRUE(SameBits(c.tensor, want));
      EXPECT_TRUE(c.GuardIntact());
    });
    if (HasFailure()) return;
  }
}

TEST(MatmulTest, IntegersAreExact) {
  for (const Problem& p : Problems()) {
    SCOPED_TRACE(p.name());
    Tensor a = RandomIntegers(p.a(), 3), b = RandomIntegers(p.b(), 4), want = Tensor::Empty({p.m, p.n}, DType::kF32);
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        int64_t sum = 0;
        for (int64_t q = 0; q < p.k; ++q) {
          sum +=
              static_cast<int64_t>(a.data<float>()[p.AtA(i, q)]) * static_cast<int64_t>(b.data<float>()[p.AtB(q, j)]);
        }
        want.mutable_data<float>()[i * p.n + j] = static_cast<float>(sum);
      }
    }
    EXPECT_TRUE(SameBits(Matmul(p.kind, a, b), want));
  }
}

// |error| <= K u sum |a b|: the bound of any order of summation, here for the ascending one.
TEST(MatmulTest, RealsKeepTheBackwardErrorBound) {
  for (const Problem& p : Problems()) {
    Tensor a = RandomTensor(p.a(), 5, 3.0f), b = RandomTensor(p.b(), 6, 3.0f), c = Matmul(p.kind, a, b);
    for (int64_t i = 0; i < p.m; ++i) {
      for (int64_t j = 0; j < p.n; ++j) {
        double sum = 0, magnitude = 0;
        for (int64_t q = 0; q < p.k; ++q) {
          double product = double{a.data<float>()[p.AtA(i, q)]} * b.data<float>()[p.AtB(q, j)];
          sum += product;
          magnitude += std::abs(product);
        }
        ASSERT_LE(std::abs(c.data<float>()[i * p.n + j] - sum), static_cast<double>(p.k) * 0x1p-24 * magnitude)
            << p.name() << " at " << i << "," << j;
      }
    }
  }
}

TEST(MatmulTest, AccumulationAddsTheFinishedChainOnce) {
  // Chains that end in one block of k, that wait for further blocks, and that wait over all rows.
  for (int64_t k : {0, 9, 700, 4500}) {
    for (MatmulKind kind : {MatmulKind::kNN, MatmulKind::kNT, MatmulKind::kTN}) {
      Problem p{kind, k > 4000 ? 103 : 11, k, k > 4000 ? 270 : 70};
      SCOPED_TRACE(p.name());
      Tensor a = RandomTensor(p.a(), 1), b = RandomTensor(p.b(), 2), before = RandomTensor({p.m, p.n}, 3, 10.0f);
      Tensor want = Chains(p, a, b);
      for (int64_t i = 0; i < want.elements(); ++i)
        want.mutable_data<float>()[i] = before.data<float>()[i] + want.data<float>()[i];
      ForEachIsa([&](Isa isa) {
        if (isa == Isa::kReference && k > 4000) return;  // a second of plain loops
        Guarded c({p.m, p.n});
        c.tensor.CopyFrom(before);
        Slot slot(c.tensor, /*accumulate=*/true);
        MatmulTo(kind, a, b, slot);
        EXPECT_TRUE(SameBits(c.tensor, want));
        EXPECT_TRUE(c.GuardIntact());
      });
    }
  }
}

TEST(MatmulTest, RowsMayBeStrided) {
  constexpr int64_t kLeft = 3, kRight = 5;
  for (MatmulKind kind : {MatmulKind::kNN, MatmulKind::kNT, MatmulKind::kTN}) {
    Problem p{kind, 13, 45, 67};
    auto wide = [&](const Shape& shape, uint64_t seed) {
      return RandomTensor({shape[0], kLeft + shape[1] + kRight}, seed);
    };
    Tensor wide_a = wide(p.a(), 1), wide_b = wide(p.b(), 2);
    Tensor a = wide_a.Slice(1, kLeft, kLeft + p.a()[1]), b = wide_b.Slice(1, kLeft, kLeft + p.b()[1]);
    Tensor want = Matmul(kind, a.Contiguous(), b.Contiguous());
    ForEachIsa([&](Isa) {
      Tensor wide_c = RandomTensor({p.m, kLeft + p.n + kRight}, 3), before = wide_c.Clone();
      Slot slot(wide_c.Slice(1, kLeft, kLeft + p.n));
      MatmulTo(kind, a, b, slot);
      EXPECT_TRUE(SameBits(wide_c.Slice(1, kLeft, kLeft + p.n), want));
      EXPECT_TRUE(SameBits(wide_c.Slice(1, 0, kLeft), before.Slice(1, 0, kLeft)));
      EXPECT_TRUE(SameBits(wide_c.Slice(1, kLeft + p.n, wide_c.dim(1)), before.Slice(1, kLeft + p.n, wide_c.dim(1))));
    });
  }
}

TEST(MatmulTest, PackedEqualsPlainAndARowDoesNotDependOnItsNeighbours) {
  constexpr int64_t kRows = 257, kIn = 530, kOut = 293;
  Tensor x = RandomTensor({kRows, kIn}, 1), bias = RandomTensor({kOut}, 3);
  for (WeightLayout layout : {WeightLayout::kOutIn, WeightLayout::kInOut}) {
    bool out_in = layout == WeightLayout::kOutIn;
    Tensor w = RandomTensor(out_in ? Shape{kOut, kIn} : Shape{kIn, kOut}, 2);
    Tensor want = Matmul(out_in ? MatmulKind::kNT : MatmulKind::kNN, x, w);
    for (int64_t i = 0; i < want.elements(); ++i) want.mutable_data<float>()[i] += bias.data<float>()[i % kOut];
    std::optional<PackedMatrix> first;
    ForEachIsa([&](Isa isa) {
      if (isa == Isa::kReference) return;  // a second of plain loops; the next test has it
      PackedMatrix packed = PackWeight(w, layout);
      if (!first) first = packed;
      EXPECT_TRUE(SameBits(packed.bytes, first->bytes));
      EXPECT_TRUE(SameBits(Linear(x, w, layout, bias), want));
      EXPECT_TRUE(SameBits(Linear(x, *first, bias), want));
      for (auto [begin, end] : {std::pair<int64_t, int64_t>{0, 1},
                                {256, 257},
                                {100, 102},
                                {7, 10},
                                {50, 54},
                                {20, 25},
                                {1, 7},
                                {90, 98},
                                {3, 16},
                                {200, 224},
                                {30, 55},
                                {0, 256}}) {
        EXPECT_TRUE(SameBits(Linear(x.Slice(0, begin, end), packed, bias), want.Slice(0, begin, end)))
            << begin << ".." << end;
        EXPECT_TRUE(SameBits(Linear(x.Slice(0, begin, end), w, layout, bias), want.Slice(0, begin, end)))
            << begin << ".." << end;
      }
    });
  }
}

TEST(MatmulTest, LinearOntoAnAddendEqualsTheSum) {
  for (auto [m, k, n] : {std::array<int64_t, 3>{1, 70, 50}, {50, 1, 16}, {103, 1100, 96}, {260, 2100, 71}}) {
    // The addend is a slice of wider rows.
    Tensor x = RandomTensor({m, k}, 1), bias = RandomTensor({n}, 3), wide = RandomTensor({m, n + 9}, 4);
    Tensor addend = wide.Slice(1, 5, 5 + n);
    for (WeightLayout layout : {WeightLayout::kOutIn, WeightLayout::kInOut}) {
      Tensor w = RandomTensor(layout == WeightLayout::kOutIn ? Shape{n, k} : Shape{k, n}, 2);
      ForEachIsa([&](Isa isa) {
        if (isa == Isa::kReference && m > 100) return;  // seconds of plain loops
        PackedMatrix packed = PackWeight(w, layout);
        for (const Tensor& b : {Tensor(), bias}) {
          Tensor want = Linear(x, w, layout, b), dense = addend.Contiguous();
          float* sums = want.mutable_data<float>();
          for (int64_t i = 0; i < want.elements(); ++i) sums[i] = dense.data<float>()[i] + sums[i];
          EXPECT_TRUE(SameBits(Linear(x, w, layout, b, addend), want)) << m << "x" << k << "x" << n;
          EXPECT_TRUE(SameBits(Linear(x, packed, b, addend), want)) << m << "x" << k << "x" << n;
        }
      });
    }
  }
}

TEST(MatmulTest, LinearAtOddSizes) {
  for (auto [m, k, n] : {std::array<int64_t, 3>{1, 1, 1},
                         {2, 7, 31},
                         {3, 16, 32},
                         {4, 17, 33},
                         {5, 24, 64},
                         {6, 9, 65},
                         {8, 100, 5},
                         {9, 31, 97}}) {
    for (WeightLayout layout : {WeightLayout::kOutIn, WeightLayout::kInOut}) {
      bool out_in = layout == WeightLayout::kOutIn;
      Problem p{out_in ? MatmulKind::kNT : MatmulKind::kNN, m, k, n};
      Tensor x = RandomTensor({m, k}, 1), w = RandomTensor(p.b(), 2), want = Chains(p, x, w);
      ForEachIsa([&](Isa) {
        EXPECT_TRUE(SameBits(Linear(x, PackWeight(w, layout), Tensor()), want)) << p.name();
        EXPECT_TRUE(SameBits(Linear(x, w, layout, Tensor()), want)) << p.name();
      });
    }
  }
}

TEST(MatmulTest, LinearKeepsOuterAxesAndThePackedCopyKnowsItsVersion) {
  Tensor x = RandomTensor({2, 3, 8}, 1), w = RandomTensor({5, 8}, 2);
  PackedMatrix packed = PackWeight(w, WeightLayout::kOutIn);
  EXPECT_EQ(packed.n, 5);
  EXPECT_EQ(packed.k, 8);
  EXPECT_EQ(packed.version, w.version());
  EXPECT_FALSE(PackedMatrix{}.defined());
  Tensor y = Linear(x, packed, Tensor());
  EXPECT_EQ(y.shape(), (Shape{2, 3, 5}));
  EXPECT_TRUE(SameBits(y.Reshape({6, 5}), Linear(x.Reshape({6, 8}), w, WeightLayout::kOutIn, Tensor())));
  w.mutable_data<float>()[0] = 1;
  EXPECT_NE(packed.version, w.version());
}

// Blocks of k that fit the packed b and those that do not, several blocks of columns; threads take rows of each other
// as it happens.
TEST(MatmulTest, BitsDoNotDependOnManyThreads) {
  for (const Problem& p : {Problem{MatmulKind::kTN, 203, 300, 411},
                           {MatmulKind::kTN, 150, 2100, 70},
                           {MatmulKind::kNT, 771, 128, 515},
                           {MatmulKind::kNN, 301, 600, 290}}) {
    SCOPED_TRACE(p.name());
    Tensor a = RandomTensor(p.a(), 1), b = RandomTensor(p.b(), 2), want = Matmul(p.kind, a, b);
    for (int threads : {2, 3, 5, 8, 16}) {
      ThreadPool pool(threads);
      ScopedThreadPool scope(pool);
      for (int repeat = 0; repeat < 3; ++repeat) EXPECT_TRUE(SameBits(Matmul(p.kind, a, b), want)) << threads;
      // In a nested call one thread runs all parts in turn: the first takes the rows of all others.
      ParallelFor(2, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          Tensor sum = want.Clone();
          Slot slot(sum, /*accumulate=*/true);
          MatmulTo(p.kind, a, b, slot);
          for (int64_t e = 0; e < sum.elements(); ++e) {
            ASSERT_EQ(sum.data<float>()[e], 2 * want.data<float>()[e]) << threads;
          }
        }
      });
    }
  }
}

TEST(MatmulTest, NotANumberAndInfinityStayInTheirRowAndColumn) {
  constexpr float kInf = std::numeric_limits<float>::infinity(), kNan = std::numeric_limits<float>::quiet_NaN();
  for (MatmulKind kind : {MatmulKind::kNN, MatmulKind::kNT, MatmulKind::kTN}) {
    Problem p{kind, 9, 21, 45};
    Tensor a = RandomTensor(p.a(), 1), b = RandomTensor(p.b(), 2), clean = Matmul(kind, a, b);
    a.mutable_data<float>()[p.AtA(4, 20)] = kInf;
    b.mutable_data<float>()[p.AtB(3, 44)] = kNan;
    b.mutable_data<float>()[p.AtB(20, 7)] = 0;
    ForEachIsa([&](Isa) {
      Tensor c = Matmul(kind, a, b);
      for (int64_t i = 0; i < p.m; ++i) {
        for (int64_t j = 0; j < p.n; ++j) {
          float got = c.data<float>()[i * p.n + j];
          if (j == 44 || (i == 4 && j == 7)) {  // a NaN in b; infinity times zero
            EXPECT_TRUE(std::isnan(got)) << i << "," << j;
          } else if (i == 4) {
            EXPECT_EQ(std::abs(got), kInf) << i << "," << j;
          } else if (j != 7) {
            EXPECT_EQ(got, clean.data<float>()[i * p.n + j]) << i << "," << j;
          }
        }
      }
    });
  }
}

TEST(MatmulTest, EmptyAxes) {
  ForEachIsa([&](Isa) {
    for (MatmulKind kind : {MatmulKind::kNN, MatmulKind::kNT, MatmulKind::kTN}) {
      Problem no_k{kind, 7, 0, 33}, no_m{kind, 0, 5, 3}, no_n{kind, 3, 5, 0};
      Guarded c({7, 33});
      Slot slot(c.tensor);
      MatmulTo(kind, Tensor::Zeros(no_k.a(), DType::kF32), Tensor::Zeros(no_k.b(), DType::kF32), slot);
      EXPECT_EQ(c.tensor.ToVector<float>(), std::vector<float>(7 * 33, 0.0f));
      EXPECT_TRUE(c.GuardIntact());
      EXPECT_EQ(Matmul(kind, Tensor::Zeros(no_m.a(), DType::kF32), Tensor::Zeros(no_m.b(), DType::kF32)).shape(),
                (Shape{0, 3}));
      EXPECT_EQ(Matmul(kind, Tensor::Zeros(no_n.a(), DType::kF32), Tensor::Zeros(no_n.b(), DType::kF32)).shape(),
                (Shape{3, 0}));
    }
    Tensor w = Tensor::Zeros({40, 0}, DType::kF32), bias = RandomTensor({40}, 1);
    for (const Tensor& y : {Linear(Tensor::Zeros({2, 0}, DType::kF32), w, WeightLayout::kOutIn, bias),
                            Linear(Tensor::Zeros({2, 0}, DType::kF32), PackWeight(w, WeightLayout::kOutIn), bias)}) {
      EXPECT_TRUE(SameBits(y.Slice(0, 1, 2).Reshape({40}), bias));
    }
    Slot nobody;
    MatmulTo(MatmulKind::kNN, w, w, nobody);  // not even looked at
  });
}

class LinearBackwardTest : public testing::TestWithParam<WeightLayout> {};

TEST_P(LinearBackwardTest, IsTheProductsItSaysItIs) {
  constexpr int64_t kRows = 21, kIn = 40, kOut = 35;
  bool out_in = GetParam() == WeightLayout::kOutIn;
  Tensor x = RandomTensor({3, 7, kIn}, 1), w = RandomTensor(out_in ? Shape{kOut, kIn} : Shape{kIn, kOut}, 2);
  Tensor dy = RandomTensor({3, 7, kOut}, 3);
  auto at_w = [&](int64_t o, int64_t i) { return out_in ? o * kIn + i : i * kOut + o; };
  Tensor dx = Tensor::Zeros(x.shape(), DType::kF64), dw = Tensor::Zeros(w.shape(), DType::kF64),
         db = Tensor::Zeros({kOut}, DType::kF64);
  for (int64_t r = 0; r < kRows; ++r) {
    for (int64_t o = 0; o < kOut; ++o) {
      double g = dy.data<float>()[r * kOut + o];
      db.mutable_data<double>()[o] += g;
      for (int64_t i = 0; i < kIn; ++i) {
        dx.mutable_data<double>()[r * kIn + i] += g * w.data<float>()[at_w(o, i)];
        dw.mutable_data<double>()[at_w(o, i)] += g * x.data<float>()[r * kIn + i];
      }
    }
  }
  ForEachIsa([&](Isa) {
    Slot to_dx = Slot::Lazy(x.shape(), DType::kF32, Cpu()), to_dw(Poisoned(w.shape())), to_db(Poisoned({kOut}));
    LinearBackward(dy, x, w, GetParam(), to_dx, to_dw, to_db);
    EXPECT_TRUE(AllClose(to_dx.destination(), dx, 1e-5, 1e-5));
    EXPECT_TRUE(AllClose(to_dw.destination(), dw, 1e-5, 1e-5));
    EXPECT_TRUE(AllClose(to_db.destination(), db, 1e-5, 1e-5));

    Tensor once = to_dw.destination().Clone();
    Slot again(to_dw.destination(), /*accumulate=*/true), nobody, no_bias;
    LinearBackward(dy, x, w, GetParam(), nobody, again, no_bias);
    for (int64_t i = 0; i < once.elements(); ++i) {
      ASSERT_EQ(to_dw.destination().data<float>()[i], 2 * once.data<float>()[i]);
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Layouts, LinearBackwardTest, testing::Values(WeightLayout::kOutIn, WeightLayout::kInOut));

TEST(MatmulDeathTest, NamesWhatDoesNotFit) {
  Tensor a = RandomTensor({2, 8}, 1), b = RandomTensor({7, 3}, 1);
  EXPECT_DEATH(Matmul(MatmulKind::kNN, a, b), "the inner sizes agree; got a=f32\\[2,8\\]@cpu, b=f32\\[7,3\\]@cpu");
  EXPECT_DEATH(Linear(a, b, WeightLayout::kOutIn, Tensor()), "the inner sizes agree");
  EXPECT_DEATH(Linear(a, PackWeight(b, WeightLayout::kInOut), Tensor()),
               "the inner sizes agree; got x=f32\\[2,8\\]@cpu");
  EXPECT_DEATH(Linear(a, RandomTensor({3, 8}, 1), WeightLayout::kOutIn, RandomTensor({2}, 1)),
               "bias is \\[3\\]; got bias=f32\\[2\\]@cpu");
  EXPECT_DEATH(Linear(a, RandomTensor({3, 8}, 1), WeightLayout::kOutIn, Tensor(), RandomTensor({3}, 1)),
               "addend is like the result f32\\[2,3\\]@cpu; got addend=f32\\[3\\]@cpu");
  EXPECT_DEATH(Matmul(MatmulKind::kNN, a.Transpose(0, 1), b), "the innermost axis is contiguous");
  EXPECT_DEATH(Matmul(MatmulKind::kNN, Tensor::Zeros({2, 7}, DType::kF64), b), "takes f32 on the CPU");
  EXPECT_DEATH(Linear(a, PackedMatrix{}, Tensor()), "packed weight is missing");
  Slot wrong(Poisoned({2, 4}));
  EXPECT_DEATH(MatmulTo(MatmulKind::kNN, RandomTensor({2, 7}, 1), b, wrong),
               "the result is \\[2,3\\]; got c=f32\\[2,4\\]@cpu");
}

}  // namespace
}  // namespace quern
