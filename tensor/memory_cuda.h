// The CUDA side of memory: declared in any build, defined and called only where the toolkit is (kBuiltWithCuda).
#ifndef QUERN_TENSOR_MEMORY_CUDA_H_
#define QUERN_TENSOR_MEMORY_CUDA_H_

#include <cstdint>

namespace quern {

int CudaDeviceCount();                          // 0 without a driver or a device
void* CudaAllocate(int64_t bytes, int device);  // nullptr when out of memory
void CudaFree(void* data, int device);
int64_t CudaAvailableBytes(int device);
// Copies between host and device (either direction, by address) and waits.
void CudaCopy(void* to, const void* from, int64_t bytes, int device);

}  // namespace quern

#endif  // QUERN_TENSOR_MEMORY_CUDA_H_
