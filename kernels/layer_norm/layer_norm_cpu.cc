// Sixteen lanes of a row at a time, a few rows side by side; compiled once per instruction set.
#include "kernels/layer_norm/layer_norm_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// Rows whose two gradients are taken in turn, so that the second finds them in the cache.
constexpr int64_t kBlockRows = 8;

// body(0), .., body(kRows - 1), unrolled.
template <int kRows, typename Body>
QUERN_INLINE void Rows(const Body& body) {
#pragma GCC unroll 4
  for (int r = 0; r < kRows; ++r) body(r);
}

// kRows rows from row n on, side by side: a row waits for its sums, for its root and for the division, one after the
// other, and meanwhile the processor has the others to do.
template <int kRows>
QUERN_INLINE void ForwardRows(const LayerNormArgs& args, int64_t n) {
  const int64_t cols = args.cols;
  const float* x = args.x + n * cols;
  float* y = args.y + n * cols;
  float mean[kRows], rstd[kRows];
  F32x16 sums[kRows];
  Rows<kRows>([&](int r) { sums[r] = Zero(); });
  ForEachVector(0, cols, [&](int64_t c, auto lanes) {
    Rows<kRows>([&](int r) { sums[r] = sums[r] + Load(x + r * cols + c, lanes, Zero()); });
  });
  Rows<kRows>([&](int r) { mean[r] = ReduceSum(sums[r]) / static_cast<float>(cols); });
  Rows<kRows>([&](int r) { sums[r] = Zero(); });
  ForEachVector(0, cols, [&](int64_t c, auto lanes) {
    Rows<kRows>([&](int r) {
      F32x16 deviation = Load(x + r * cols + c, lanes, Broadcast(mean[r])) - Broadcast(mean[r]);
      sums[r] = Fma(deviation, deviation, sums[r]);
    });
  });
  Rows<kRows>([&](int r) {
    rstd[r] = 1.0f / __builtin_sqrtf(ReduceSum(sums[r]) / static_cast<float>(cols) + args.eps);
    args.mean[n + r] = mean[r];
    args.rstd[n + r] = rstd[r];
  });
  ForEachVector(0, cols, [&](int64_t c, auto lanes) {
    const F32x16 weight = Load(args.weight + c, lanes, Zero());
    const F32x16 bias = args.bias != nullptr ? Load(args.bias + c, lanes, Zero()) : Zero();
    Rows<kRows>([&](int r) {
      F32x16 xhat = (Load(x + r * cols + c, lanes, Zero()) - Broadcast(mean[r])) * Broadcast(rstd[r]);
      Store(y + r * cols + c, lanes, args.bias != nullptr ? Fma(xhat, weight, bias) : xhat * weight);
    });
  });
}

QUERN_INLINE void InputGradientRow(const LayerNormBackwardArgs& args, int64_t n) {
  const int64_t cols = args.cols;
  const float *x = args.x + n * cols, *dy = args.dy + n * cols;
  const F32x16 mean = Broadcast(args.mean[n]), rstd = Broadcast(args.rstd[n]);
  F32x16 sums = Zero(), dots = Zero();
  ForEachVector(0, cols, [&](int64_t c, auto lanes) {
    F32x16 g = Load(dy + c, lanes, Zero()) * Load(args.weight + c, lanes, Zero());
    sums = sums + g;
    dots = Fma(g, (Load(x + c, lanes, Zero()) - mean) * rstd, dots);
  });
  const F32x16 sum = Broadcast(ReduceSum(sums) / static_cast<float>(cols));
  const F32x16 dot = Broadcast(ReduceSum(dots) / static_cast<float>(cols));
  ForEachVector(0, cols, [&](int64_t c, auto lanes) {
    F32x16 g = Load(dy + c, lanes, Zero()) * Load(args.weight + c, lanes, Zero());
    F32x16 xhat = (Load(x + c, lanes, Zero()) - mean) * rstd;
    StoreTo(args.dx + n * cols + c, lanes, rstd * (g - sum - xhat * dot), args.add_dx);
  });
}

// Goes on with the sums of a chunk over the rows [begin, end): one chain per column, wherever it is cut.
QUERN_INLINE void AddParameterGradients(const LayerNormBackwardArgs& args, int64_t begin, int64_t end, float* dweight,
                                        float* dbias) {
  const int64_t cols = args.cols;
  const bool first = begin % kLayerNormRowChunk == 0;
  ForEachVector(0, cols, [&](int64_t c, auto lanes) {
    F32x16 dots = first ? Zero() : Load(dweight + c, lanes, Zero()),
           sums = first ? Zero() : Load(dbias + c, lanes, Zero());
    for (int64_t n = begin; n < end; ++n) {
      F32x16 dy = Load(args.dy + n * cols + c, lanes, Zero()), x = Load(args.x + n * cols + c, lanes, Zero());
      dots = Fma(dy, (x - Broadcast(args.mean[n])) * Broadcast(args.rstd[n]), dots);
      sums = sums + dy;
    }
    Store(dweight + c, lanes, dots);
    Store(dbias + c, lanes, sums);
  });
}

}  // namespace

void LayerNormRows(const LayerNormArgs& args, int64_t begin, int64_t end) {
  int64_t n = begin;
  for (; n + 4 <= end; n += 4) ForwardRows<4>(args, n);
  for (; n < end; ++n) ForwardRows<1>(args, n);
}

void LayerNormBackwardChunks(const LayerNormBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t chunk = begin; chunk < end; ++chunk) {
    int64_t first = chunk * kLayerNormRowChunk, last = first + kLayerNormRowChunk;
    if (last > args.rows) last = args.rows;
    for (int64_t block = first; block < last; block += kBlockRows) {
      int64_t block_end = block + kBlockRows < last ? block + kBlockRows : last;
      if (args.dx != nullptr) {
        for (int64_t n = block; n < block_end; ++n) InputGradientRow(args, n);
      }
      if (args.dweight_of_chunk != nullptr) {
        AddParameterGradients(args, block, block_end, args.dweight_of_chunk + chunk * args.cols,
                              args.dbias_of_chunk + chunk * args.cols);
      }
    }
  }
}

void LayerNormSumColumns(const LayerNormSumArgs& args, int64_t begin, int64_t end) {
  ForEachVector(begin, end, [&](int64_t c, auto lanes) {
    F32x16 total = Zero();
    for (int64_t chunk = 0; chunk < args.chunks; ++chunk) {
      total = total + Load(args.of_chunk + chunk * args.cols + c, lanes, Zero());
    }
    StoreTo(args.out + c, lanes, total, args.add);
  });
}

}  // namespace QUERN_ISA
}  // namespace quern
