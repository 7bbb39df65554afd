#include "kernels/testing.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "base/rng.h"
#include "base/thread_pool.h"

namespace quern {
namespace {

constexpr int64_t kMargin = 64;
constexpr float kPattern = -12345.678f;

double At(const Tensor& t, int64_t i) {
  return t.dtype() == DType::kF64    ? t.data<double>()[i]
         : t.dtype() == DType::kBF16 ? static_cast<float>(t.data<BFloat16>()[i])
                                     : t.data<float>()[i];
}

// Fills blocks of these tensors' sizes with NaN and gives them back: what the next outputs are allocated from.
void PoisonFreeMemory(const std::vector<Tensor>& like) {
  std::vector<Tensor> blocks;
  for (const Tensor& t : like) {
    blocks.push_back(Tensor::Empty({t.bytes()}, DType::kU8));
    std::memset(blocks.back().mutable_raw(), 0xFF, static_cast<size_t>(t.bytes()));
  }
}

}  // namespace

Tensor RandomTensor(const Shape& shape, uint64_t seed, float scale) {
  Tensor t = Tensor::Empty(shape, DType::kF32);
  float* out = t.mutable_data<float>();
  for (int64_t i = 0; i < t.elements(); ++i) {
    uint32_t word = RandomWords({seed, RngStream::kTest}, 0, 0, i / 4)[i % 4];
    out[i] = (2.0f * UniformFloat(word) - 1.0f) * scale;
  }
  return t;
}

Tensor RandomIntegers(const Shape& shape, uint64_t seed, int range) {
  Tensor t = Tensor::Empty(shape, DType::kF32);
  float* out = t.mutable_data<float>();
  for (int64_t i = 0; i < t.elements(); ++i) {
    uint32_t word = RandomWords({seed, RngStream::kTest}, 1, 0, i / 4)[i % 4];
    out[i] = static_cast<float>(static_cast<int>(word % (2 * range + 1)) - range);
  }
  return t;
}

Tensor Poisoned(const Shape& shape) {
  Tensor t = Tensor::Empty(shape, DType::kF32);
  std::memset(t.mutable_raw(), 0xFF, static_cast<size_t>(t.bytes()));
  return t;
}

Guarded::Guarded(const Shape& shape) : block_(Tensor::Empty({shape.elements() + 2 * kMargin}, DType::kF32)) {
  float* p = block_.mutable_data<float>();
  for (int64_t i = 0; i < block_.elements(); ++i) p[i] = kPattern;
  tensor = block_.Slice(0, kMargin, kMargin + shape.elements()).Reshape(shape);
  std::memset(tensor.mutable_raw(), 0xFF, static_cast<size_t>(tensor.bytes()));
}

bool Guarded::GuardIntact() const {
  const float* p = block_.data<float>();
  for (int64_t i = 0; i < kMargin; ++i) {
    if (p[i] != kPattern || p[block_.elements() - 1 - i] != kPattern) return false;
  }
  return true;
}

void ForEachIsa(const std::function<void(Isa isa)>& body) {
  Isa before = CurrentIsa();
  for (Isa isa : AvailableIsas()) {
    for (int threads : {1, 2}) {
      SCOPED_TRACE(std::string(Name(isa)) + ", " + std::to_string(threads) + " threads");
      SetIsa(isa);
      ThreadPool pool(threads);
      ScopedThreadPool scope(pool);
      body(isa);
    }
  }
  SetIsa(before);
}

void ExpectIsasAgree(const std::function<std::vector<Tensor>()>& run, double relative, double absolute) {
  Isa before = CurrentIsa();
  SetIsa(Isa::kReference);
  std::vector<Tensor> want = run(), first;
  SetIsa(before);
  ForEachIsa([&](Isa isa) {
    PoisonFreeMemory(want);
    std::vector<Tensor> got = run();
    ASSERT_EQ(got.size(), want.size());
    if (isa != Isa::kReference && first.empty()) first = got;
    for (size_t i = 0; i < got.size(); ++i) {
      SCOPED_TRACE("result " + std::to_string(i));
      EXPECT_TRUE(AllClose(got[i], want[i], relative, absolute));
      EXPECT_TRUE(SameBits(got[i], isa == Isa::kReference ? want[i] : first[i]));
    }
  });
}

testing::AssertionResult SameBits(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape() || a.dtype() != b.dtype()) {
    return testing::AssertionFailure() << Describe(a) << " against " << Describe(b);
  }
  Tensor x = a.Contiguous(), y = b.Contiguous();
  int64_t size = SizeOf(a.dtype()), different = 0, first = -1;
  for (int64_t i = 0; i < x.elements(); ++i) {
    if (std::memcmp(x.raw() + i * size, y.raw() + i * size, static_cast<size_t>(size)) == 0) continue;
    if (different++ == 0) first = i;
  }
  if (different == 0) return testing::AssertionSuccess();
  auto failure = testing::AssertionFailure() << different << " of " << x.elements() << " elements of " << Describe(a)
                                             << " differ, first at " << first;
  if (a.dtype() == DType::kF32) failure << ": " << x.data<float>()[first] << " against " << y.data<float>()[first];
  return failure;
}

testing::AssertionResult AllClose(const Tensor& a, const Tensor& b, double relative, double absolute) {
  if (a.shape() != b.shape()) return testing::AssertionFailure() << Describe(a) << " against " << Describe(b);
  Tensor x = a.Contiguous(), y = b.Contiguous();
  double worst = 0;
  int64_t where = -1;
  for (int64_t i = 0; i < x.elements(); ++i) {
    double got = At(x, i), want = At(y, i);
    if (got == want || (std::isnan(got) && std::isnan(want))) continue;
    double excess = std::abs(got - want) / (absolute + relative * std::abs(want));
    if (!(excess <= 1.0) && !(excess <= worst)) {
      worst = std::isnan(excess) ? std::numeric_limits<double>::infinity() : excess;
      where = i;
    }
  }
  if (where < 0) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "element " << where << " of " << Describe(a) << ": " << At(x, where)
                                     << " against " << At(y, where) << ", " << worst
                                     << " times the tolerance (relative " << relative << ", absolute " << absolute
                                     << ")";
}

}  // namespace quern
