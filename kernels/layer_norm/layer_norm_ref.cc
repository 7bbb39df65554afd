// The specification: the plainest loops, in double.
#include <cmath>

#include "kernels/layer_norm/layer_norm_args.h"

namespace quern {
namespace ref {

void LayerNormRows(const LayerNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.x + n * args.cols;
    double mean = 0, variance = 0;
    for (int64_t c = 0; c < args.cols; ++c) mean += x[c];
    mean /= static_cast<double>(args.cols);
    for (int64_t c = 0; c < args.cols; ++c) variance += (x[c] - mean) * (x[c] - mean);
    double rstd = 1.0 / std::sqrt(variance / static_cast<double>(args.cols) + args.eps);
    args.mean[n] = static_cast<float>(mean);
    args.rstd[n] = static_cast<float>(rstd);
    for (int64_t c = 0; c < args.cols; ++c) {
      double bias = args.bias != nullptr ? args.bias[c] : 0;
      args.y[n * args.cols + c] = static_cast<float>((x[c] - mean) * rstd * args.weight[c] + bias);
    }
  }
}

void LayerNormBackwardRows(const LayerNormBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float *x = args.x + n * args.cols, *dy = args.dy + n * args.cols;
    double mean = args.mean[n], rstd = args.rstd[n], sum = 0, dot = 0;
    for (int64_t c = 0; c < args.cols; ++c) {
      sum += double{dy[c]} * args.weight[c];
      dot += double{dy[c]} * args.weight[c] * (x[c] - mean) * rstd;
    }
    sum /= static_cast<double>(args.cols);
    dot /= static_cast<double>(args.cols);
    for (int64_t c = 0; c < args.cols; ++c) {
      double dx = rstd * (double{dy[c]} * args.weight[c] - sum - (x[c] - mean) * rstd * dot);
      float& out = args.dx[n * args.cols + c];
      out = static_cast<float>(args.add_dx ? out + dx : dx);
    }
  }
}

void LayerNormBackwardColumns(const LayerNormBackwardArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    double sum = 0, dot = 0;
    for (int64_t n = 0; n < args.rows; ++n) {
      sum += args.dy[n * args.cols + c];
      dot += double{args.dy[n * args.cols + c]} * (double{args.x[n * args.cols + c]} - args.mean[n]) * args.rstd[n];
    }
    if (args.dweight) args.dweight[c] = static_cast<float>(args.add_dweight ? args.dweight[c] + dot : dot);
    if (args.dbias) args.dbias[c] = static_cast<float>(args.add_dbias ? args.dbias[c] + sum : sum);
  }
}

}  // namespace ref
}  // namespace quern
