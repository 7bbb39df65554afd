// Sixteen lanes; compiled once per instruction set.
#include "kernels/reduce/reduce_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// The columns of kVectors vectors at c, all whole; or of one, maybe of its first lanes only.
template <int kVectors, typename Lanes>
QUERN_INLINE void SumStrip(const SumRowsArgs& args, int64_t c, Lanes lanes) {
  F32x16 total[kVectors];
  for (int v = 0; v < kVectors; ++v) total[v] = Zero();
  for (int64_t chunk = 0; chunk < args.rows; chunk += kSumRowsChunk) {
    int64_t last = chunk + kSumRowsChunk < args.rows ? chunk + kSumRowsChunk : args.rows;
    F32x16 sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = Zero();
    for (int64_t n = chunk; n < last; ++n) {
      const float* x = args.x + n * args.cols + c;
      for (int v = 0; v < kVectors; ++v) sum[v] = sum[v] + Load(x + v * kLanes, lanes, Zero());
    }
    for (int v = 0; v < kVectors; ++v) total[v] = total[v] + sum[v];
  }
  for (int v = 0; v < kVectors; ++v) StoreTo(args.out + c + v * kLanes, lanes, total[v], args.add);
}

// A bit for each lane where a equals b.
QUERN_INLINE uint32_t EqualLanes(F32x16 a, F32x16 b) {
#ifdef QUERN_AVX512
  return _mm512_cmp_ps_mask(a.v, b.v, _CMP_EQ_OQ);
#else
  return static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.lo, b.lo, _CMP_EQ_OQ))) |
         static_cast<uint32_t>(_mm256_movemask_ps(_mm256_cmp_ps(a.hi, b.hi, _CMP_EQ_OQ))) << 8;
#endif
}

QUERN_INLINE int32_t ArgMaxRow(const float* x, int64_t cols) {
  const F32x16 lowest = Lowest();
  F32x16 max = lowest;
  // NaN in the first operand gives way to the second.
  ForEachVector(0, cols, [&](int64_t c, auto lanes) { max = Max(Load(x + c, lanes, lowest), max); });
  max = Broadcast(ReduceMax(max));
  for (int64_t c = 0; c < cols; c += kLanes) {
    uint32_t equal = EqualLanes(LoadFirst(x + c, cols - c, lowest), max);
    if (cols - c < kLanes) equal &= (1u << (cols - c)) - 1;
    if (equal != 0) return static_cast<int32_t>(c + __builtin_ctz(equal));
  }
  return 0;
}

QUERN_INLINE int64_t ChunkEnd(const ReduceArgs& args, int64_t chunk) {
  int64_t end = (chunk + 1) * kReduceChunk;
  return end < args.elements ? end : args.elements;
}

}  // namespace

void SumChunks(const ReduceArgs& args, int64_t begin, int64_t end) {
  for (int64_t chunk = begin; chunk < end; ++chunk) {
    F32x16 sum = Zero();
    ForEachVector(chunk * kReduceChunk, ChunkEnd(args, chunk),
                  [&](int64_t i, auto lanes) { sum = sum + Load(args.x + i, lanes, Zero()); });
    args.chunks[chunk] = ReduceSum(sum);
  }
}

void MaxChunks(const ReduceArgs& args, int64_t begin, int64_t end) {
  const F32x16 lowest = Lowest();
  for (int64_t chunk = begin; chunk < end; ++chunk) {
    F32x16 max = lowest, nan = Zero();
    ForEachVector(chunk * kReduceChunk, ChunkEnd(args, chunk), [&](int64_t i, auto lanes) {
      F32x16 x = Load(args.x + i, lanes, lowest);
      nan = Select(IsNan(x), x, nan);
      max = Max(x, max);
    });
    float any_nan = ReduceSum(nan);
    args.chunks[chunk] = any_nan != any_nan ? any_nan : ReduceMax(max);
  }
}

void SumRowsColumns(const SumRowsArgs& args, int64_t begin, int64_t end) {
  constexpr int64_t kStrip = 8;
  int64_t c = begin;
  for (; c + kStrip * kLanes <= end; c += kStrip * kLanes) SumStrip<kStrip>(args, c, AllLanes{});
  ForEachVector(c, end, [&](int64_t c, auto lanes) { SumStrip<1>(args, c, lanes); });
}

void ArgMaxRows(const ArgMaxArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) args.index[n] = ArgMaxRow(args.x + n * args.cols, args.cols);
}

}  // namespace QUERN_ISA
}  // namespace quern
