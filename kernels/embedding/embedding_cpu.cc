// Compiled once per instruction set.
#include "kernels/embedding/embedding_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// The rows order[begin, end) of dy summed into one row of the table, kVectors vectors of columns at c.
template <int kVectors, typename Lanes>
QUERN_INLINE void SumRun(const EmbeddingBackwardArgs& args, float* out, int64_t begin, int64_t end, int64_t c,
                         Lanes lanes) {
  F32x16 sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = Zero();
  for (int64_t i = begin; i < end; ++i) {
    const float* dy = args.dy + args.order[i] * args.cols + c;
    for (int v = 0; v < kVectors; ++v) sum[v] = sum[v] + Load(dy + v * kLanes, lanes, Zero());
  }
  for (int v = 0; v < kVectors; ++v) StoreTo(out + c + v * kLanes, lanes, sum[v], args.add);
}

}  // namespace

void EmbeddingRows(const EmbeddingArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* from = args.table + args.ids[n] * args.cols;
    float* to = args.y + n * args.cols;
    ForEachVector(0, args.cols, [&](int64_t c, auto lanes) { Store(to + c, lanes, Load(from + c, lanes, Zero())); });
  }
}

void EmbeddingBackwardPlaces(const EmbeddingBackwardArgs& args, int64_t begin, int64_t end) {
  constexpr int64_t kTile = 4;
  const int32_t *ids = args.ids, *order = args.order;
  for (int64_t place = begin; place < end; ++place) {
    const int64_t first = place % args.count, strip = place / args.count * kEmbeddingStrip;
    const int32_t id = ids[order[first]];
    if (first > 0 && ids[order[first - 1]] == id) continue;
    int64_t last = first + 1;
    while (last < args.count && ids[order[last]] == id) ++last;
    const int64_t columns = strip + kEmbeddingStrip < args.cols ? strip + kEmbeddingStrip : args.cols;
    float* out = args.dtable + id * args.cols;
    int64_t c = strip;
    for (; c + kTile * kLanes <= columns; c += kTile * kLanes) SumRun<kTile>(args, out, first, last, c, AllLanes{});
    ForEachVector(c, columns, [&](int64_t c, auto lanes) { SumRun<1>(args, out, first, last, c, lanes); });
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
