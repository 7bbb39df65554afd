// The specification: the plainest loops, in double.
#include <cmath>

#include "kernels/cross_entropy/cross_entropy_args.h"

namespace quern {
namespace ref {

void CrossEntropyRows(const CrossEntropyArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.logits + n * args.cols;
    const int32_t target = args.targets[n];
    double max = -INFINITY, sum = 0;
    for (int64_t c = 0; c < args.cols; ++c) max = x[c] > max ? x[c] : max;
    for (int64_t c = 0; c < args.cols; ++c) sum += std::exp(x[c] - max);
    args.losses[n] = target < 0 ? 0.0f : static_cast<float>(std::log(sum) - (x[target] - max));
    if (args.dlogits == nullptr) continue;
    for (int64_t c = 0; c < args.cols; ++c) {
      double probability = std::exp(x[c] - max) / sum;
      args.dlogits[n * args.cols + c] =
          target < 0 ? 0.0f : static_cast<float>(args.scale * (probability - (c == target)));
    }
  }
}

}  // namespace ref
}  // namespace quern
