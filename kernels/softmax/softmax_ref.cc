// The specification: the plainest loops, in double.
#include <cmath>

#include "kernels/softmax/softmax_args.h"

namespace quern {
namespace ref {
namespace {

double LogSumExp(const float* x, int64_t cols) {
  double max = -INFINITY, sum = 0;
  for (int64_t c = 0; c < cols; ++c) max = x[c] > max ? x[c] : max;
  for (int64_t c = 0; c < cols; ++c) sum += std::exp(x[c] - max);
  return max + std::log(sum);
}

void Put(float& out, bool add, double value) { out = static_cast<float>(add ? out + value : value); }

}  // namespace

void SoftmaxRows(const SoftmaxArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.x + n * args.cols;
    double log_sum = LogSumExp(x, args.cols);
    for (int64_t c = 0; c < args.cols; ++c) args.y[n * args.cols + c] = static_cast<float>(std::exp(x[c] - log_sum));
  }
}

void LogSoftmaxRows(const SoftmaxArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.x + n * args.cols;
    double log_sum = LogSumExp(x, args.cols);
    for (int64_t c = 0; c < args.cols; ++c) args.y[n * args.cols + c] = static_cast<float>(x[c] - log_sum);
  }
}

void SoftmaxBackwardRows(const SoftmaxBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float *dy = args.dy + n * args.cols, *y = args.y + n * args.cols;
    double dot = 0;
    for (int64_t c = 0; c < args.cols; ++c) dot += double{dy[c]} * y[c];
    for (int64_t c = 0; c < args.cols; ++c) Put(args.dx[n * args.cols + c], args.add, y[c] * (dy[c] - dot));
  }
}

void LogSoftmaxBackwardRows(const SoftmaxBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float *dy = args.dy + n * args.cols, *y = args.y + n * args.cols;
    double sum = 0;
    for (int64_t c = 0; c < args.cols; ++c) sum += dy[c];
    for (int64_t c = 0; c < args.cols; ++c)
      Put(args.dx[n * args.cols + c], args.add, dy[c] - std::exp(double{y[c]}) * sum);
  }
}

}  // namespace ref
}  // namespace quern
