#include "kernels/attention/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>

#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

// q, k and v are slices of one row, as the fused projection leaves them.
struct Problem {
  Problem(std::vector<int32_t> lengths, int64_t heads, int64_t kv_heads, int64_t dim, uint64_t seed, float size = 1.5f)
      : starts(1, 0), scale(1.0f / std::sqrt(static_cast<float>(dim))) {
    for (int32_t length : lengths) starts.push_back(starts.back() + length);
    qkv = RandomTensor({starts.back(), heads + 2 * kv_heads, dim}, seed, size);
    q = qkv.Slice(1, 0, heads);
    k = qkv.Slice(1, heads, heads + kv_heads);
    v = qkv.Slice(1, heads + kv_heads, heads + 2 * kv_heads);
    dout = RandomTensor({starts.back(), heads, dim}, seed + 1);
  }
  AttentionLayout layout() const { return {starts, {}, {}, {}}; }

  std::vector<int32_t> starts;
  float scale;
  Tensor qkv, q, k, v, dout;
};

struct Gradients {
  Tensor dq, dk, dv;
};

Gradients Backward(const Problem& p, const AttentionResult& forward) {
  Slot dq(Poisoned(p.q.shape())), dk(Poisoned(p.k.shape())), dv(Poisoned(p.v.shape()));
  AttentionBackward(p.dout, p.q, p.k, p.v, forward, p.layout(), p.scale, dq, dk, dv);
  return {dq.destination(), dk.destination(), dv.destination()};
}

// The textbook in double, whole matrices: P = softmax(scale Q K^T), O = P V, and through them back.
struct Textbook {
  explicit Textbook(const Problem& p)
      : out(Tensor::Zeros(p.q.shape(), DType::kF64)),
        lse(Tensor::Zeros({p.q.dim(0), p.q.dim(1)}, DType::kF64)),
        dq(Tensor::Zeros(p.q.shape(), DType::kF64)),
        dk(Tensor::Zeros(p.k.shape(), DType::kF64)),
        dv(dk.Clone()) {
    int64_t heads = p.q.dim(1), group = heads / p.k.dim(1), dim = p.q.dim(2);
    auto at = [dim](const Tensor& t, int64_t n, int64_t h) {
      return std::vector<double>(t.data<float>() + n * t.stride(0) + h * t.stride(1),
                                 t.data<float>() + n * t.stride(0) + h * t.stride(1) + dim);
    };
    auto to = [dim](Tensor& t, int64_t n, int64_t h) { return t.mutable_data<double>() + (n * t.dim(1) + h) * dim; };
    for (size_t s = 0; s + 1 < p.starts.size(); ++s) {
      int64_t first = p.starts[s], tokens = p.starts[s + 1] - first;
      for (int64_t h = 0; h < heads; ++h) {
        for (int64_t t = 0; t < tokens; ++t) {
          std::vector<double> q = at(p.q, first + t, h), dout = at(p.dout, first + t, h), probability(t + 1), dp(t + 1);
          double sum = 0, mean = 0;
          for (int64_t u = 0; u <= t; ++u) {
            std::vector<double> k = at(p.k, first + u, h / group);
            probability[u] = p.scale * std::inner_product(q.begin(), q.end(), k.begin(), 0.0);
          }
          double max = *std::max_element(probability.begin(), probability.end());
          for (double& x : probability) sum += x = std::exp(x - max);
          lse.mutable_data<double>()[(first + t) * heads + h] = max + std::log(sum);
          for (int64_t u = 0; u <= t; ++u) {
            std::vector<double> v = at(p.v, first + u, h / group);
            probability[u] /= sum;
            dp[u] = std::inner_product(dout.begin(), dout.end(), v.begin(), 0.0);
            mean += probability[u] * dp[u];
            for (int64_t d = 0; d < dim; ++d) {
              to(out, first + t, h)[d] += probability[u] * v[d];
              to(dv, first + u, h / group)[d] += probability[u] * dout[d];
            }
          }
          for (int64_t u = 0; u <= t; ++u) {
            std::vector<double> k = at(p.k, first + u, h / group);
            double ds = p.scale * probability[u] * (dp[u] - mean);
            for (int64_t d = 0; d < dim; ++d) {
              to(dq, first + t, h)[d] += ds * k[d];
              to(dk, first + u, h / group)[d] += ds * q[d];
            }
          }
        }
      }
    }
  }
  Tensor out, lse, dq, dk, dv;
};

struct Size {
  std::vector<int32_t> lengths;
  int64_t heads, kv_heads, dim;
};

class AttentionSizes : public testing::TestWithParam<Size> {};

TEST_P(AttentionSizes, MatchesTheTextbook) {
  const Size& size = GetParam();
  Problem p(size.lengths, size.heads, size.kv_heads, size.dim, 1);
  Textbook want(p);
  std::optional<AttentionResult> simd;
  std::optional<Gradients> simd_gradients;
  ForEachIsa([&](Isa isa) {
    AttentionResult got = Attention(p.q, p.k, p.v, p.layout(), p.scale);
    Gradients gradients = Backward(p, got);
    EXPECT_TRUE(AllClose(got.out, want.out, 1e-6, 1e-6));
    EXPECT_TRUE(AllClose(got.lse, want.lse, 1e-6, 2e-6));
    EXPECT_TRUE(AllClose(gradients.dq, want.dq, 2e-5, 2e-6));
    EXPECT_TRUE(AllClose(gradients.dk, want.dk, 2e-5, 5e-6));
    EXPECT_TRUE(AllClose(gradients.dv, want.dv, 2e-5, 5e-6));
    if (isa == Isa::kReference) return;
    if (!simd) simd = got, simd_gradients = gradients;
    EXPECT_TRUE(SameBits(got.out, simd->out));
    EXPECT_TRUE(SameBits(got.lse, simd->lse));
    EXPECT_TRUE(SameBits(gradients.dq, simd_gradients->dq));
    EXPECT_TRUE(SameBits(gradients.dk, simd_gradients->dk));
    EXPECT_TRUE(SameBits(gradients.dv, simd_gradients->dv));
  });
}

INSTANTIATE_TEST_SUITE_P(Shapes, AttentionSizes,
                         testing::Values(Size{{1}, 1, 1, 1}, Size{{5, 0, 3}, 2, 1, 3}, Size{{17}, 3, 3, 8},
                                         Size{{64, 64, 64}, 4, 4, 32}, Size{{63, 65}, 2, 2, 24},
                                         Size{{127, 1, 129}, 6, 2, 16}, Size{{200}, 5, 1, 80}, Size{{70}, 2, 1, 128},
                                         Size{{0, 66, 0}, 7, 1, 64}, Size{{90}, 2, 2, 256}, Size{{9}, 1, 1, 300}));

// The analytic gradient of Textbook against central differences of its own forward pass.
TEST(AttentionTest, TheTextbookDifferentiates) {
  Problem p({3, 5}, 2, 1, 4, 11);
  Textbook exact(p);
  auto loss = [&] {
    Textbook at(p);
    double sum = 0;
    for (int64_t i = 0; i < at.out.elements(); ++i) sum += at.out.data<double>()[i] * p.dout.data<float>()[i];
    return sum;
  };
  auto check = [&](Tensor input, const Tensor& gradient) {
    for (int64_t n = 0; n < input.dim(0); ++n) {
      for (int64_t i = 0; i < input.dim(1) * input.dim(2); ++i) {
        float* x = input.mutable_data<float>() + n * input.stride(0) + i;
        float before = *x, above = before + 0x1p-10f, below = before - 0x1p-10f;
        *x = above;
        double up = loss();
        *x = below;
        double down = loss();
        *x = before;
        EXPECT_NEAR((up - down) / (double{above} - below), gradient.data<double>()[n * input.dim(1) * input.dim(2) + i],
                    1e-6);
      }
    }
  };
  check(p.q, exact.dq);
  check(p.k, exact.dk);
  check(p.v, exact.dv);
}

// A cache whose blocks are poisoned and handed out in no order.
struct Pages {
  Pages(const std::vector<int32_t>& starts, int64_t kv_heads, int64_t dim) : block_starts(1, 0) {
    for (size_t s = 1; s < starts.size(); ++s) {
      block_starts.push_back(block_starts.back() + (starts[s] - starts[s - 1] + kKeyBlock - 1) / kKeyBlock);
    }
    int32_t blocks = block_starts.back() + 1;
    cache = MakeKvBlocks(blocks, kv_heads, dim);
    cache.k.CopyFrom(Poisoned(cache.k.shape()));
    cache.v.CopyFrom(Poisoned(cache.v.shape()));
    for (int32_t i = 0; i < block_starts.back(); ++i) block_ids.push_back((i * 7 + 3) % blocks);
    if (blocks % 7 == 0) std::iota(block_ids.begin(), block_ids.end(), 1);
  }
  KvBlocks cache;
  std::vector<int32_t> block_starts, block_ids;
};

Tensor Concatenate(const std::vector<Tensor>& parts) {
  int64_t rows = 0;
  for (const Tensor& part : parts) rows += part.dim(0);
  Tensor all = Tensor::Empty(parts[0].shape().With(0, rows), DType::kF32);
  rows = 0;
  for (const Tensor& part : parts) {
    all.Slice(0, rows, rows + part.dim(0)).CopyFrom(part);
    rows += part.dim(0);
  }
  return all;
}

// Every sequence on its own, `chunk` tokens at a time.
Tensor OneByOne(const Problem& p, int32_t chunk) {
  Pages pages(p.starts, p.k.dim(1), p.k.dim(2));
  std::vector<Tensor> outs;
  for (size_t s = 0; s + 1 < p.starts.size(); ++s) {
    std::vector<int32_t> block_starts = {pages.block_starts[s], pages.block_starts[s + 1]};
    for (int32_t t = p.starts[s]; t < p.starts[s + 1]; t += chunk) {
      int32_t end = std::min(t + chunk, p.starts[s + 1]);
      std::vector<int32_t> starts = {0, end - t}, past = {t - p.starts[s]};
      outs.push_back(AttentionCached(p.q.Slice(0, t, end), p.k.Slice(0, t, end), p.v.Slice(0, t, end),
                                     {starts, past, block_starts, pages.block_ids}, p.scale, pages.cache));
    }
  }
  return Concatenate(outs);
}

// All sequences in every call, each with a chunk of its own size: prefill and decode rows mixed, some with no rows at
// all.
Tensor Batched(const Problem& p) {
  static constexpr int32_t kChunks[] = {1, 64, 7, 130, 23};
  size_t sequences = p.starts.size() - 1;
  Pages pages(p.starts, p.k.dim(1), p.k.dim(2));
  Tensor out = Poisoned(p.q.shape());
  std::vector<int32_t> past(sequences, 0);
  while (true) {
    std::vector<int32_t> starts = {0};
    std::vector<Tensor> q, k, v;
    for (size_t s = 0; s < sequences; ++s) {
      int32_t from = p.starts[s] + past[s], to = std::min(from + kChunks[s % 5], p.starts[s + 1]);
      starts.push_back(starts.back() + to - from);
      q.push_back(p.q.Slice(0, from, to)), k.push_back(p.k.Slice(0, from, to)), v.push_back(p.v.Slice(0, from, to));
    }
    if (starts.back() == 0) return out;
    Tensor got = AttentionCached(Concatenate(q), Concatenate(k), Concatenate(v),
                                 {starts, past, pages.block_starts, pages.block_ids}, p.scale, pages.cache);
    for (size_t s = 0; s < sequences; ++s) {
      int32_t from = p.starts[s] + past[s], rows = starts[s + 1] - starts[s];
      out.Slice(0, from, from + rows).CopyFrom(got.Slice(0, starts[s], starts[s + 1]));
      past[s] += rows;
    }
  }
}

class AttentionSameness : public testing::TestWithParam<int64_t> {};

TEST_P(AttentionSameness, TrainingChunksAndBatchesAreTheSameBits) {
  for (auto [heads, kv_heads] : {std::pair<int64_t, int64_t>{4, 2}, {3, 1}}) {
    Problem p({63, 129, 64, 65, 127, 128}, heads, kv_heads, GetParam(), 21, 3.0f);
    std::optional<Tensor> simd;
    ForEachIsa([&](Isa isa) {
      Tensor training = Attention(p.q, p.k, p.v, p.layout(), p.scale).out;
      for (int32_t chunk : {1, 7, 64, 1000})
        EXPECT_TRUE(SameBits(OneByOne(p, chunk), training)) << "chunks of " << chunk;
      EXPECT_TRUE(SameBits(Batched(p), training));
      if (isa == Isa::kReference) return;
      if (!simd) simd = training;
      EXPECT_TRUE(SameBits(training, *simd));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(HeadDims, AttentionSameness, testing::Values(8, 16, 24, 32, 64, 80, 128));

// What stands behind a token, finite or not, does not reach it.
TEST(AttentionTest, ARowDependsOnItsPastOnly) {
  Problem p({131}, 4, 2, 32, 31);
  ForEachIsa([&](Isa) {
    AttentionResult want = Attention(p.q, p.k, p.v, p.layout(), p.scale);
    for (int32_t t : {1, 40, 64, 70, 128}) {
      Tensor q = p.q.Clone(), k = p.k.Clone(), v = p.v.Clone();
      for (Tensor* x : {&q, &k, &v}) x->Slice(0, t, 131).CopyFrom(Poisoned(x->Slice(0, t, 131).shape()));
      AttentionResult got = Attention(q, k, v, p.layout(), p.scale);
      EXPECT_TRUE(SameBits(got.out.Slice(0, 0, t), want.out.Slice(0, 0, t)));
      EXPECT_TRUE(SameBits(got.lse.Slice(0, 0, t), want.lse.Slice(0, 0, t)));
    }
  });
}

TEST(AttentionTest, GroupedQueriesAreRepeatedKeys) {
  Problem p({70, 3}, 6, 2, 24, 41);
  std::vector<Tensor> k_rows, v_rows;
  Tensor k = Tensor::Empty(p.q.shape(), DType::kF32), v = k.Clone();
  for (int64_t h = 0; h < 6; ++h) {
    k.Slice(1, h, h + 1).CopyFrom(p.k.Slice(1, h / 3, h / 3 + 1));
    v.Slice(1, h, h + 1).CopyFrom(p.v.Slice(1, h / 3, h / 3 + 1));
  }
  ForEachIsa([&](Isa) {
    EXPECT_TRUE(
        SameBits(Attention(p.q, k, v, p.layout(), p.scale).out, Attention(p.q, p.k, p.v, p.layout(), p.scale).out));
  });
}

// Scores beyond what exp can take alone; a block that counts for nothing beside its neighbour.
TEST(AttentionTest, LargeScores) {
  Problem p({130}, 1, 1, 16, 51, 40.0f);
  Textbook want(p);
  ForEachIsa([&](Isa) {
    AttentionResult got = Attention(p.q, p.k, p.v, p.layout(), p.scale);
    EXPECT_TRUE(AllClose(got.out, want.out, 5e-3, 5e-3));
    for (float x : got.out.ToVector<float>()) EXPECT_TRUE(std::isfinite(x));
    for (float x : Backward(p, got).dq.ToVector<float>()) EXPECT_TRUE(std::isfinite(x));
  });
}

TEST(AttentionTest, GradientsGoWhereTheSlotsSay) {
  Problem p({66, 0, 9}, 4, 2, 24, 61);
  ForEachIsa([&](Isa) {
    AttentionResult forward = Attention(p.q, p.k, p.v, p.layout(), p.scale);
    Gradients want = Backward(p, forward);
    Guarded wide(p.qkv.shape());
    Tensor dq = wide.tensor.Slice(1, 0, 4), dk = wide.tensor.Slice(1, 4, 6), dv = wide.tensor.Slice(1, 6, 8);
    Slot first_dq(dq), first_dk(dk), first_dv(dv);
    AttentionBackward(p.dout, p.q, p.k, p.v, forward, p.layout(), p.scale, first_dq, first_dk, first_dv);
    EXPECT_TRUE(SameBits(dq, want.dq));
    EXPECT_TRUE(SameBits(dk, want.dk));
    EXPECT_TRUE(SameBits(dv, want.dv));
    Slot again_dq(dq, /*accumulate=*/true), again_dk(dk, true), again_dv(dv, true);
    AttentionBackward(p.dout, p.q, p.k, p.v, forward, p.layout(), p.scale, again_dq, again_dk, again_dv);
    auto twice = [](const Tensor& t) {
      Tensor sum = t.Clone();
      for (int64_t i = 0; i < t.elements(); ++i) sum.mutable_data<float>()[i] *= 2;
      return sum;
    };
    EXPECT_TRUE(AllClose(dq, twice(want.dq), 1e-6, 1e-9));
    EXPECT_TRUE(AllClose(dk, twice(want.dk), 1e-6, 1e-9));
    EXPECT_TRUE(AllClose(dv, twice(want.dv), 1e-6, 1e-9));
    EXPECT_TRUE(wide.GuardIntact());
    // Any subset of the three.
    for (int wanted = 0; wanted < 8; ++wanted) {
      Slot some_dq, some_dk, some_dv;
      if (wanted & 1) some_dq = Slot(Poisoned(p.q.shape()));
      if (wanted & 2) some_dk = Slot(Poisoned(p.k.shape()));
      if (wanted & 4) some_dv = Slot(Poisoned(p.v.shape()));
      AttentionBackward(p.dout, p.q, p.k, p.v, forward, p.layout(), p.scale, some_dq, some_dk, some_dv);
      if (wanted & 1) {
        EXPECT_TRUE(SameBits(some_dq.destination(), want.dq));
      }
      if (wanted & 2) {
        EXPECT_TRUE(SameBits(some_dk.destination(), want.dk));
      }
      if (wanted & 4) {
        EXPECT_TRUE(SameBits(some_dv.destination(), want.dv));
      }
    }
  });
}

TEST(AttentionTest, TheCacheIsWrittenAtItsPlacesOnly) {
  Problem p({70}, 2, 2, 24, 71);
  std::vector<int32_t> starts = {0, 5}, past = {62}, block_starts = {0, 2}, ids = {2, 0};
  ForEachIsa([&](Isa) {
    KvBlocks cache{Tensor::Zeros({3, 2, 24, 64}, DType::kF32), Tensor::Zeros({3, 2, 64, 24}, DType::kF32)};
    AttentionCached(p.q.Slice(0, 0, 5), p.k.Slice(0, 0, 5), p.v.Slice(0, 0, 5), {starts, past, block_starts, ids},
                    p.scale, cache);
    for (int64_t block = 0; block < 3; ++block) {
      for (int64_t i = 0; i < 2 * 24 * 64; ++i) {
        int64_t h = i / (24 * 64), d = i % (24 * 64) / 64, key = i % 64;
        int64_t token = block == 2 && key >= 62 ? key - 62 : block == 0 && key < 3 ? key + 2 : -1;
        auto want = [&](const Tensor& t) {
          return token < 0 ? 0.0f : t.data<float>()[token * t.stride(0) + h * t.stride(1) + d];
        };
        EXPECT_EQ(cache.k.data<float>()[block * 2 * 24 * 64 + i], want(p.k));
        EXPECT_EQ(cache.v.data<float>()[((block * 2 + h) * 64 + key) * 24 + d], want(p.v));
      }
    }
  });
}

// With fewer heads than threads, decoding shares a sequence's blocks, and the backward pass takes dq and dk, dv apart.
TEST(AttentionTest, FewHeadsOnManyThreads) {
  constexpr int32_t kTokens = 1100;
  Problem p({kTokens}, 8, 1, 40, 101, 3.0f);
  Isa before = CurrentIsa();
  std::optional<Tensor> out;
  std::optional<Gradients> gradients;
  for (Isa isa : AvailableIsas()) {
    if (isa == Isa::kReference) continue;
    SetIsa(isa);
    for (int threads : {1, 2, 3, 8}) {
      SCOPED_TRACE(std::string(Name(isa)) + ", " + std::to_string(threads) + " threads");
      ThreadPool pool(threads);
      ScopedThreadPool scope(pool);
      AttentionResult forward = Attention(p.q, p.k, p.v, p.layout(), p.scale);
      Gradients got = Backward(p, forward);
      if (!out) out = forward.out, gradients = got;
      EXPECT_TRUE(SameBits(forward.out, *out));
      EXPECT_TRUE(SameBits(got.dq, gradients->dq));
      EXPECT_TRUE(SameBits(got.dk, gradients->dk));
      EXPECT_TRUE(SameBits(got.dv, gradients->dv));
      Pages pages(p.starts, 1, 40);
      for (auto [from, to] : {std::pair<int32_t, int32_t>{0, 1086}, {1086, 1087}, {1087, 1090}, {1090, kTokens}}) {
        std::vector<int32_t> starts = {0, to - from}, past = {from};
        Tensor chunk = AttentionCached(p.q.Slice(0, from, to), p.k.Slice(0, from, to), p.v.Slice(0, from, to),
                                       {starts, past, pages.block_starts, pages.block_ids}, p.scale, pages.cache);
        EXPECT_TRUE(SameBits(chunk, out->Slice(0, from, to))) << from;
      }
    }
  }
  SetIsa(before);
}

TEST(AttentionTest, NoRows) {
  ForEachIsa([&](Isa) {
    Problem p({0, 0}, 2, 1, 8, 81);
    AttentionResult forward = Attention(p.q, p.k, p.v, p.layout(), p.scale);
    EXPECT_EQ(forward.out.elements(), 0);
    EXPECT_EQ(Backward(p, forward).dk.elements(), 0);
    KvBlocks cache = MakeKvBlocks(1, 1, 8);
    std::vector<int32_t> past = {3, 0}, block_starts = {0, 1, 1}, ids = {0};
    EXPECT_EQ(AttentionCached(p.q, p.k, p.v, {p.starts, past, block_starts, ids}, 1.0f, cache).elements(), 0);
  });
}

TEST(AttentionTest, NamesWhatDoesNotFit) {
  Problem p({4}, 4, 2, 8, 91);
  EXPECT_DEATH(Attention(p.q, p.q.Slice(1, 0, 3), p.q.Slice(1, 0, 3), p.layout(), 1.0f),
               "H is a multiple of Hkv; got q=f32\\[4,4,8\\]@cpu");
  std::vector<int32_t> starts = {0, 4}, past = {62}, block_starts = {0, 1}, ids = {1};
  KvBlocks cache = MakeKvBlocks(1, 2, 8);
  EXPECT_DEATH(AttentionCached(p.q, p.k, p.v, {starts, past, block_starts, ids}, 1.0f, cache),
               "sequence 0 needs blocks for 66 keys; got 1");
  past = {0};
  EXPECT_DEATH(AttentionCached(p.q, p.k, p.v, {starts, past, block_starts, ids}, 1.0f, cache),
               "block id 1; got cache.k=f32\\[1,2,8,64\\]");
}

}  // namespace
}  // namespace quern
