// One block of 256 threads a row; sums go through a fixed tree (warp shuffles, then one warp), so every run gives the
// same bits.
#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

#include "kernels/rms_norm/rms_norm_args.h"

namespace quern {
namespace cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarp = 32;

__device__ float BlockSum(float value) {
  __shared__ float partial[kThreads / kWarp];
  for (int offset = kWarp / 2; offset > 0; offset /= 2) value += __shfl_down_sync(0xffffffffu, value, offset);
  __syncthreads();  // the last call's readers are done
  if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
  __syncthreads();
  float sum = 0;
  for (int warp = 0; warp < kThreads / kWarp; ++warp) sum += partial[warp];
  return sum;
}

__global__ void __launch_bounds__(kThreads) ForwardKernel(RmsNormArgs args) {
  const int64_t row = blockIdx.x;
  const float* x = args.x + row * args.cols;
  float squares = 0;
  for (int64_t c = threadIdx.x; c < args.cols; c += kThreads) squares = fmaf(x[c], x[c], squares);
  const float rstd = 1.0f / sqrtf(BlockSum(squares) / static_cast<float>(args.cols) + args.eps);
  if (threadIdx.x == 0) args.rstd[row] = rstd;
  for (int64_t c = threadIdx.x; c < args.cols; c += kThreads)
    args.y[row * args.cols + c] = x[c] * rstd * args.weight[c];
}

__global__ void __launch_bounds__(kThreads) BackwardRowsKernel(RmsNormBackwardArgs args) {
  const int64_t row = blockIdx.x;
  const float *x = args.x + row * args.cols, *dy = args.dy + row * args.cols;
  const float rstd = args.rstd[row];
  float dot = 0;
  for (int64_t c = threadIdx.x; c < args.cols; c += kThreads) dot = fmaf(dy[c] * args.weight[c], x[c] * rstd, dot);
  const float mean = BlockSum(dot) / static_cast<float>(args.cols);
  for (int64_t c = threadIdx.x; c < args.cols; c += kThreads) {
    float d = rstd * (dy[c] * args.weight[c] - x[c] * rstd * mean);
    float* out = args.dx + row * args.cols + c;
    *out = args.add_dx ? *out + d : d;
  }
}

// A thread a column: neighbouring threads read neighbouring columns, rows ascend in chunks as on the CPU.
__global__ void __launch_bounds__(kThreads) BackwardColumnsKernel(RmsNormBackwardArgs args) {
  const int64_t c = int64_t{blockIdx.x} * kThreads + threadIdx.x;
  if (c >= args.cols) return;
  float total = 0;
  for (int64_t chunk = 0; chunk < args.rows; chunk += kRmsNormRowChunk) {
    const int64_t last = min(chunk + kRmsNormRowChunk, args.rows);
    float sum = 0;
    for (int64_t n = chunk; n < last; ++n)
      sum = fmaf(args.dy[n * args.cols + c], args.x[n * args.cols + c] * args.rstd[n], sum);
    total += sum;
  }
  args.dweight[c] = args.add_dweight ? args.dweight[c] + total : total;
}

void CheckLaunch(const char* op) {
  cudaError_t error = cudaGetLastError();
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "fatal: %s: launch failed: %s\n", op, cudaGetErrorString(error));
  std::abort();
}

}  // namespace

void RmsNorm(const RmsNormArgs& args) {
  if (args.rows == 0) return;
  ForwardKernel<<<static_cast<unsigned>(args.rows), kThreads>>>(args);
  CheckLaunch("RmsNorm");
}

void RmsNormBackward(const RmsNormBackwardArgs& args) {
  if (args.dx != nullptr && args.rows > 0) BackwardRowsKernel<<<static_cast<unsigned>(args.rows), kThreads>>>(args);
  if (args.dweight != nullptr) {
    BackwardColumnsKernel<<<static_cast<unsigned>((args.cols + kThreads - 1) / kThreads), kThreads>>>(args);
  }
  CheckLaunch("RmsNormBackward");
}

}  // namespace cuda
}  // namespace quern
