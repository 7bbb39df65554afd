// The loops that ceilings are measured with, one set per instruction set.
#ifndef QUERN_KERNELS_CEILINGS_ARGS_H_
#define QUERN_KERNELS_CEILINGS_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

// Memory is walked in blocks of this many bytes; sizes are multiples of it.
inline constexpr int64_t kCeilingBlock = 512;

QUERN_FOR_EACH_ISA(
    // Runs `rounds` rounds of independent chains and returns how many operations that was.
    double F32Chains(int64_t rounds); double Bf16Chains(int64_t rounds); double Int8Chains(int64_t rounds);
    void ReadMemory(const void* from, int64_t bytes); void CopyMemory(void* to, const void* from, int64_t bytes);
    void UpdateMemory(void* at, int64_t bytes);)

}  // namespace quern

#endif  // QUERN_KERNELS_CEILINGS_ARGS_H_
