// The specification: the plainest loops, in double.
#include <algorithm>

#include "kernels/global_norm/global_norm_args.h"

namespace quern {
namespace ref {

void SumSquaresChunks(const GlobalNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t chunk = begin; chunk < end; ++chunk) {
    int64_t last = std::min((chunk + 1) * kGlobalNormChunk, args.elements);
    double sum = 0;
    for (int64_t i = chunk * kGlobalNormChunk; i < last; ++i) sum += double{args.x[i]} * args.x[i];
    args.squares[chunk] = static_cast<float>(sum);
  }
}

}  // namespace ref
}  // namespace quern
