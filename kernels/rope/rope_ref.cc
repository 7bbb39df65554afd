// The specification: the plainest loops, in double.
#include "kernels/rope/rope_args.h"

namespace quern {
namespace ref {

void RopeTokens(const RopeArgs& args, int64_t begin, int64_t end) {
  const int64_t half = args.dim / 2;
  for (int64_t n = begin; n < end; ++n) {
    for (int64_t h = 0; h < args.heads; ++h) {
      const float* x = args.x + n * args.x_token + h * args.x_head;
      float* y = args.y + n * args.y_token + h * args.y_head;
      for (int64_t i = 0; i < half; ++i) {
        int64_t first = args.interleaved ? 2 * i : i, second = args.interleaved ? 2 * i + 1 : i + half;
        double cos = args.cos[args.positions[n] * half + i], sin = args.sin[args.positions[n] * half + i];
        if (args.backward) sin = -sin;
        double a = x[first], b = x[second];
        y[first] = static_cast<float>((args.add ? y[first] : 0.0) + (a * cos - b * sin));
        y[second] = static_cast<float>((args.add ? y[second] : 0.0) + (b * cos + a * sin));
      }
    }
  }
}

}  // namespace ref
}  // namespace quern
