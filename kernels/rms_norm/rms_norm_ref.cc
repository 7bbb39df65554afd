// The specification: the plainest loops, in double.
#include <cmath>

#include "kernels/rms_norm/rms_norm_args.h"

namespace quern {
namespace ref {

void RmsNormRows(const RmsNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.x + n * args.cols;
    double squares = 0;
    for (int64_t c = 0; c < args.cols; ++c) squares += double{x[c]} * x[c];
    double rstd = 1.0 / std::sqrt(squares / static_cast<double>(args.cols) + args.eps);
    args.rstd[n] = static_cast<float>(rstd);
    for (int64_t c = 0; c < args.cols; ++c)
      args.y[n * args.cols + c] = static_cast<float>(x[c] * rstd * args.weight[c]);
  }
}

void RmsNormBackwardRows(const RmsNormBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float *x = args.x + n * args.cols, *dy = args.dy + n * args.cols;
    double rstd = args.rstd[n], dot = 0;
    for (int64_t c = 0; c < args.cols; ++c) dot += double{dy[c]} * args.weight[c] * x[c] * rstd;
    dot /= static_cast<double>(args.cols);
    for (int64_t c = 0; c < args.cols; ++c) {
      double dx = rstd * (double{dy[c]} * args.weight[c] - x[c] * rstd * dot);
      float& out = args.dx[n * args.cols + c];
      out = static_cast<float>(args.add_dx ? out + dx : dx);
    }
  }
}

void RmsNormBackwardColumns(const RmsNormBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    double sum = 0;
    for (int64_t n = 0; n < args.rows; ++n)
      sum += double{args.dy[n * args.cols + c]} * args.x[n * args.cols + c] * args.rstd[n];
    args.dweight[c] = static_cast<float>(args.add_dweight ? args.dweight[c] + sum : sum);
  }
}

}  // namespace ref
}  // namespace quern
