// Sixteen elements at a time; compiled once per instruction set. An element gives the same bits in whatever lane it
// falls.
#include "kernels/elementwise/elementwise_args.h"
#include "kernels/elementwise/elementwise_philox.h"
#include "kernels/simd.h"
#include "kernels/simd_math.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// out (+)= f(a, b, c). Where f takes no notice of an operand, neither is it read.
template <typename F>
QUERN_INLINE void Map(const ElementwiseArgs& args, const float* a, const float* b, const float* c, int64_t begin,
                      int64_t end, F f) {
  float* out = args.out;
  int64_t i = begin;
  if (args.add) {
    for (; i + kLanes <= end; i += kLanes) Store(out + i, Load(out + i) + f(Load(a + i), Load(b + i), Load(c + i)));
  } else {
    for (; i + kLanes <= end; i += kLanes) Store(out + i, f(Load(a + i), Load(b + i), Load(c + i)));
  }
  if (i == end) return;
  int64_t left = end - i;
  F32x16 y = f(LoadFirst(a + i, left, Zero()), LoadFirst(b + i, left, Zero()), LoadFirst(c + i, left, Zero()));
  if (args.add) y = LoadFirst(out + i, left, Zero()) + y;
  StoreFirst(out + i, left, y);
}

template <typename F>
QUERN_INLINE void Map(const ElementwiseArgs& args, const float* a, const float* b, int64_t begin, int64_t end, F f) {
  Map(args, a, b, b, begin, end, [=](F32x16 a, F32x16 b, F32x16) { return f(a, b); });
}

// sigmoid(x) and sigmoid(-x) = 1 - sigmoid(x), neither by a difference.
struct Sigmoids {
  F32x16 of, of_minus;
};
// e = exp(-|x|).
QUERN_INLINE Sigmoids BothSigmoids(F32x16 x, F32x16 e) {
  F32x16 large = Broadcast(1.0f) / (Broadcast(1.0f) + e), small = e * large;
  Mask16 negative = x < Zero();
  return {Select(negative, small, large), Select(negative, large, small)};
}
QUERN_INLINE Sigmoids BothSigmoids(F32x16 x) { return BothSigmoids(x, Exp(-Abs(x))); }

QUERN_INLINE F32x16 Silu(F32x16 x) { return x * Sigmoid(x); }

QUERN_INLINE F32x16 SiluDerivative(F32x16 x, Sigmoids s) { return s.of * Fma(x, s.of_minus, Broadcast(1.0f)); }

QUERN_INLINE F32x16 Phi(F32x16 x) { return Broadcast(0.5f) * (Broadcast(1.0f) + Erf(x * Broadcast(0.707106781f))); }

// y = x Phi(x) is there already: Phi is had by one division, but for x so small that y has lost its digits.
QUERN_INLINE F32x16 GeluErfDerivative(F32x16 x, F32x16 y) {
  F32x16 phi = Select(Abs(x) < Broadcast(1e-30f), Broadcast(0.5f), y / x);
  F32x16 density = Broadcast(0.398942280f) * Exp2(x * x * Broadcast(-0.721347520f));  // log2(e) / 2
  return Fma(x, density, phi);
}

// (1 + tanh(z)) / 2 = sigmoid(2 z), and 2 z = x (2 sqrt(2 / pi) + 2 sqrt(2 / pi) 0.044715 x^2).
constexpr float kTanhLinear = 1.59576912f, kTanhCubic = 0.0713548163f;
// The same times log2(e), for powers of two.
constexpr float kTanhLinear2 = 2.30220819f, kTanhCubic2 = 0.102943240f;

QUERN_INLINE Sigmoids TanhSigmoids(F32x16 x, F32x16 square) {
  F32x16 z = x * Fma(square, Broadcast(kTanhCubic2), Broadcast(kTanhLinear2));
  return BothSigmoids(z, Exp2(-Abs(z)));
}

QUERN_INLINE F32x16 GeluTanh(F32x16 x) { return x * TanhSigmoids(x, x * x).of; }

QUERN_INLINE F32x16 GeluTanhDerivative(F32x16 x) {
  // Beyond 16 the derivative is 0 or 1, and x^3 would overflow to inf * 0.
  x = Min(Broadcast(16.0f), Max(Broadcast(-16.0f), x));
  F32x16 square = x * x;
  Sigmoids s = TanhSigmoids(x, square);
  F32x16 slope = Fma(square, Broadcast(3 * kTanhCubic), Broadcast(kTanhLinear));
  return s.of * Fma(x * slope, s.of_minus, Broadcast(1.0f));
}

QUERN_INLINE void SwiGluBackwardTile(const ElementwiseArgs& args, int64_t i, int64_t left) {
  F32x16 dy = LoadFirst(args.a + i, left, Zero()), gate = LoadFirst(args.b + i, left, Zero());
  Sigmoids s = BothSigmoids(gate);
  if (args.out != nullptr) {
    F32x16 d = dy * LoadFirst(args.c + i, left, Zero()) * SiluDerivative(gate, s);
    if (args.add) d = LoadFirst(args.out + i, left, Zero()) + d;
    StoreFirst(args.out + i, left, d);
  }
  if (args.second != nullptr) {
    F32x16 d = dy * (gate * s.of);
    if (args.add_second) d = LoadFirst(args.second + i, left, Zero()) + d;
    StoreFirst(args.second + i, left, d);
  }
}

QUERN_INLINE Mask16 Reaches(const uint32_t* words, uint32_t threshold) {
#ifdef QUERN_AVX512
  __m512i upper = _mm512_srli_epi32(_mm512_loadu_si512(words), 8);
  return {_mm512_cmpge_epu32_mask(upper, _mm512_set1_epi32(static_cast<int>(threshold)))};
#else
  const __m256i *p = reinterpret_cast<const __m256i*>(words),
                below = _mm256_set1_epi32(static_cast<int>(threshold) - 1);
  return {_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_srli_epi32(_mm256_loadu_si256(p), 8), below)),
          _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_srli_epi32(_mm256_loadu_si256(p + 1), 8), below))};
#endif
}

}  // namespace

void Elementwise(const ElementwiseArgs& args, int64_t begin, int64_t end) {
  const float *a = args.a, *b = args.b, *c = args.c;
  const F32x16 factor = Broadcast(args.factor);
  switch (args.op) {
    case ElementwiseOp::kAdd:
      return Map(args, a, b, begin, end, [](F32x16 a, F32x16 b) { return a + b; });
    case ElementwiseOp::kMul:
      return Map(args, a, b, begin, end, [](F32x16 a, F32x16 b) { return a * b; });
    case ElementwiseOp::kScale:
      return Map(args, a, a, begin, end, [=](F32x16 a, F32x16) { return a * factor; });
    case ElementwiseOp::kFill:
      return Map(args, args.out, args.out, begin, end, [=](F32x16, F32x16) { return factor; });
    case ElementwiseOp::kGeluErf:
      return Map(args, a, a, begin, end, [](F32x16 a, F32x16) { return a * Phi(a); });
    case ElementwiseOp::kGeluTanh:
      return Map(args, a, a, begin, end, [](F32x16 a, F32x16) { return GeluTanh(a); });
    case ElementwiseOp::kGeluErfBackward:
      return Map(args, a, b, c, begin, end, [](F32x16 a, F32x16 b, F32x16 c) { return a * GeluErfDerivative(b, c); });
    case ElementwiseOp::kGeluTanhBackward:
      return Map(args, a, b, begin, end, [](F32x16 a, F32x16 b) { return a * GeluTanhDerivative(b); });
    case ElementwiseOp::kTanh:
      return Map(args, a, a, begin, end, [](F32x16 a, F32x16) { return Tanh(a); });
    case ElementwiseOp::kSigmoid:
      return Map(args, a, a, begin, end, [](F32x16 a, F32x16) { return Sigmoid(a); });
    case ElementwiseOp::kErf:
      return Map(args, a, a, begin, end, [](F32x16 a, F32x16) { return Erf(a); });
    case ElementwiseOp::kSilu:
      return Map(args, a, a, begin, end, [](F32x16 a, F32x16) { return Silu(a); });
    case ElementwiseOp::kSiluBackward:
      return Map(args, a, b, begin, end, [](F32x16 a, F32x16 b) { return a * SiluDerivative(b, BothSigmoids(b)); });
    case ElementwiseOp::kSwiGlu:
      return Map(args, a, b, begin, end, [](F32x16 a, F32x16 b) { return Silu(a) * b; });
    case ElementwiseOp::kSwiGluBackward:
      for (; begin + kLanes <= end; begin += kLanes) SwiGluBackwardTile(args, begin, kLanes);
      if (begin < end) SwiGluBackwardTile(args, begin, end - begin);
      return;
  }
}

void AddRow(const AddRowArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* a = args.a + n * args.cols;
    float* out = args.out + n * args.cols;
    int64_t c = 0;
    for (; c + kLanes <= args.cols; c += kLanes) Store(out + c, Load(a + c) + Load(args.row + c));
    if (int64_t left = args.cols - c; left > 0) {
      StoreFirst(out + c, left, LoadFirst(a + c, left, Zero()) + LoadFirst(args.row + c, left, Zero()));
    }
  }
}

void Cast(const CastArgs& args, int64_t begin, int64_t end) {
  int64_t i = begin;
  if (args.f32 != nullptr) {
    for (; i + kLanes <= end; i += kLanes) StoreBf16(args.to_bf16 + i, Load(args.f32 + i));
    if (i == end) return;
    uint16_t last[kLanes];
    StoreBf16(last, LoadFirst(args.f32 + i, end - i, Zero()));
    for (int64_t j = i; j < end; ++j) args.to_bf16[j] = last[j - i];
  } else {
    for (; i + kLanes <= end; i += kLanes) Store(args.to_f32 + i, LoadBf16(args.bf16 + i));
    if (i == end) return;
    uint16_t last[kLanes] = {};
    for (int64_t j = i; j < end; ++j) last[j - i] = args.bf16[j];
    StoreFirst(args.to_f32 + i, end - i, LoadBf16(last));
  }
}

void Dropout(const DropoutArgs& args, int64_t begin, int64_t end) {
  constexpr int64_t kDrawn = 4 * kGroups;
  const F32x16 scale = Broadcast(args.scale);
  uint32_t words[kDrawn];
  for (int64_t drawn = begin; drawn < end; drawn += kDrawn) {
    PhiloxGroups(args.first_group + static_cast<uint64_t>(drawn / 4), args.counter_high, args.key, words);
    for (int64_t i = drawn; i < drawn + kDrawn && i < end; i += kLanes) {
      int64_t left = end - i;
      F32x16 y =
          Select(Reaches(words + (i - drawn), args.threshold), LoadFirst(args.x + i, left, Zero()) * scale, Zero());
      if (args.add) y = LoadFirst(args.out + i, left, Zero()) + y;
      StoreFirst(args.out + i, left, y);
    }
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
