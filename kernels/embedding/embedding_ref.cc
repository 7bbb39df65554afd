// The specification: the plainest loops, in double.
#include <algorithm>

#include "kernels/embedding/embedding_args.h"

namespace quern {
namespace ref {

void EmbeddingRows(const EmbeddingArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    for (int64_t c = 0; c < args.cols; ++c) args.y[n * args.cols + c] = args.table[args.ids[n] * args.cols + c];
  }
}

void EmbeddingBackwardPlaces(const EmbeddingBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t place = begin; place < end; ++place) {
    int64_t i = place % args.count, strip = place / args.count;
    int32_t id = args.ids[args.order[i]];
    if (i > 0 && args.ids[args.order[i - 1]] == id) continue;
    for (int64_t c = strip * kEmbeddingStrip; c < std::min((strip + 1) * kEmbeddingStrip, args.cols); ++c) {
      double sum = 0;
      for (int64_t j = i; j < args.count && args.ids[args.order[j]] == id; ++j)
        sum += args.dy[args.order[j] * args.cols + c];
      float& out = args.dtable[id * args.cols + c];
      out = static_cast<float>(args.add ? out + sum : sum);
    }
  }
}

}  // namespace ref
}  // namespace quern
