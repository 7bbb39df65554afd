// The specification: the plainest loops, in double.
#include <algorithm>
#include <cmath>

#include "kernels/layer_norm/layer_norm_args.h"

namespace quern {
namespace ref {

void LayerNormRows(const LayerNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const float* x = args.x + n * args.cols;
    double mean = 0, variance = 0, cols = static_cast<double>(args.cols);
    for (int64_t c = 0; c < args.cols; ++c) mean += x[c] / cols;
    for (int64_t c = 0; c < args.cols; ++c) variance += (x[c] - mean) * (x[c] - mean) / cols;
    double rstd = 1.0 / std::sqrt(variance + args.eps);
    args.mean[n] = static_cast<float>(mean);
    args.rstd[n] = static_cast<float>(rstd);
    for (int64_t c = 0; c < args.cols; ++c) {
      double bias = args.bias != nullptr ? args.bias[c] : 0;
      args.y[n * args.cols + c] = static_cast<float>((x[c] - mean) * rstd * args.weight[c] + bias);
    }
  }
}

void LayerNormBackwardChunks(const LayerNormBackwardArgs& args, int64_t begin, int64_t end) {
  const int64_t cols = args.cols, last = std::min(end * kLayerNormRowChunk, args.rows);
  for (int64_t n = begin * kLayerNormRowChunk; args.dx != nullptr && n < last; ++n) {
    const float *x = args.x + n * cols, *dy = args.dy + n * cols, *w = args.weight;
    double mean = args.mean[n], rstd = args.rstd[n], sum = 0, dot = 0;
    for (int64_t c = 0; c < cols; ++c) sum += double{dy[c]} * w[c] / static_cast<double>(cols);
    for (int64_t c = 0; c < cols; ++c) dot += double{dy[c]} * w[c] * (x[c] - mean) * rstd / static_cast<double>(cols);
    for (int64_t c = 0; c < cols; ++c) {
      double dx = rstd * (double{dy[c]} * w[c] - sum - (x[c] - mean) * rstd * dot);
      args.dx[n * cols + c] = static_cast<float>(args.add_dx ? args.dx[n * cols + c] + dx : dx);
    }
  }
  for (int64_t chunk = begin; args.dweight_of_chunk != nullptr && chunk < end; ++chunk) {
    for (int64_t c = 0; c < cols; ++c) {
      double sum = 0, dot = 0;
      for (int64_t n = chunk * kLayerNormRowChunk; n < std::min((chunk + 1) * kLayerNormRowChunk, args.rows); ++n) {
        sum += args.dy[n * cols + c];
        dot += double{args.dy[n * cols + c]} * (double{args.x[n * cols + c]} - args.mean[n]) * args.rstd[n];
      }
      args.dweight_of_chunk[chunk * cols + c] = static_cast<float>(dot);
      args.dbias_of_chunk[chunk * cols + c] = static_cast<float>(sum);
    }
  }
}

void LayerNormSumColumns(const LayerNormSumArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    double sum = args.add ? args.out[c] : 0;
    for (int64_t chunk = 0; chunk < args.chunks; ++chunk) sum += args.of_chunk[chunk * args.cols + c];
    args.out[c] = static_cast<float>(sum);
  }
}

}  // namespace ref
}  // namespace quern
