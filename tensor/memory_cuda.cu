#include "tensor/memory_cuda.h"

#include <cuda_runtime.h>

#include <cstdio>
#include <cstdlib>

namespace quern {
namespace {

void Check(cudaError_t error, const char* what, int device) {
  if (error == cudaSuccess) return;
  std::fprintf(stderr, "fatal: %s on cuda:%d: %s\n", what, device, cudaGetErrorString(error));
  std::abort();
}

}  // namespace

int CudaDeviceCount() {
  int count = 0;
  return cudaGetDeviceCount(&count) == cudaSuccess ? count : 0;
}

void* CudaAllocate(int64_t bytes, int device) {
  Check(cudaSetDevice(device), "cudaSetDevice", device);
  void* data = nullptr;
  if (cudaMalloc(&data, static_cast<size_t>(bytes)) != cudaSuccess) {
    cudaGetLastError();  // out of memory is an answer, not a sticky error
    return nullptr;
  }
  return data;
}

void CudaFree(void* data, int device) {
  Check(cudaSetDevice(device), "cudaSetDevice", device);
  Check(cudaFree(data), "cudaFree", device);
}

int64_t CudaAvailableBytes(int device) {
  Check(cudaSetDevice(device), "cudaSetDevice", device);
  size_t available = 0, total = 0;
  Check(cudaMemGetInfo(&available, &total), "cudaMemGetInfo", device);
  return static_cast<int64_t>(available);
}

void CudaCopy(void* to, const void* from, int64_t bytes, int device) {
  Check(cudaSetDevice(device), "cudaSetDevice", device);
  Check(cudaMemcpy(to, from, static_cast<size_t>(bytes), cudaMemcpyDefault), "cudaMemcpy", device);
}

}  // namespace quern
