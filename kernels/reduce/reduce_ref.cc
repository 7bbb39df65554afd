// The specification: the plainest loops, in double.
#include <algorithm>
#include <cmath>

#include "kernels/reduce/reduce_args.h"

namespace quern {
namespace ref {

void SumChunks(const ReduceArgs& args, int64_t begin, int64_t end) {
  for (int64_t chunk = begin; chunk < end; ++chunk) {
    int64_t last = std::min((chunk + 1) * kReduceChunk, args.elements);
    double sum = 0;
    for (int64_t i = chunk * kReduceChunk; i < last; ++i) sum += args.x[i];
    args.chunks[chunk] = static_cast<float>(sum);
  }
}

void MaxChunks(const ReduceArgs& args, int64_t begin, int64_t end) {
  for (int64_t chunk = begin; chunk < end; ++chunk) {
    int64_t last = std::min((chunk + 1) * kReduceChunk, args.elements);
    float max = args.x[chunk * kReduceChunk];
    for (int64_t i = chunk * kReduceChunk; i < last; ++i) {
      if (args.x[i] > max || std::isnan(args.x[i])) max = args.x[i];
    }
    args.chunks[chunk] = max;
  }
}

void SumRowsColumns(const SumRowsArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    double sum = 0;
    for (int64_t n = 0; n < args.rows; ++n) sum += args.x[n * args.cols + c];
    args.out[c] = static_cast<float>(args.add ? args.out[c] + sum : sum);
  }
}

void ArgMaxRows(const ArgMaxArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.x + n * args.cols;
    int64_t best = 0;
    for (int64_t c = 1; c < args.cols; ++c) {
      if (x[c] > x[best] || (std::isnan(x[best]) && !std::isnan(x[c]))) best = c;
    }
    args.index[n] = static_cast<int32_t>(best);
  }
}

}  // namespace ref
}  // namespace quern
