// SSE2, which every x86-64 processor has: the ceilings of the reference.
#include "kernels/ceilings_args.h"

namespace quern {
namespace ref {

double F32Chains(int64_t rounds) {
  const double operations = 2 * 4 * 24 * static_cast<double>(rounds);
  // Six multiplications and six additions side by side, four times a round; zero times zero plus zero.
  asm volatile(
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12\nxorps %%xmm\\r,%%xmm\\r\n.endr\n"
      ".balign 32\n1:\n.rept 4\n"
      ".irp r,0,1,2,3,4,5\nmulps %%xmm12,%%xmm\\r\n.endr\n"
      ".irp r,6,7,8,9,10,11\naddps %%xmm12,%%xmm\\r\n.endr\n"
      ".endr\ndec %0\njnz 1b\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "cc");
  return operations;
}

double Bf16Chains(int64_t rounds) { return F32Chains(rounds); }

double Int8Chains(int64_t rounds) {
  const double operations = 2 * 8 * 24 * static_cast<double>(rounds);
  asm volatile(
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11,12\npxor %%xmm\\r,%%xmm\\r\n.endr\n"
      ".balign 32\n1:\n.rept 2\n"
      ".irp r,0,1,2,3,4,5,6,7,8,9,10,11\npmaddwd %%xmm12,%%xmm\\r\n.endr\n"
      ".endr\ndec %0\njnz 1b\n"
      : "+r"(rounds)
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12",
        "cc");
  return operations;
}

#define QUERN_MOVES(load, store) ".set offset,0\n.rept 512/16\n" load store ".set offset,offset+16\n.endr\n"

void ReadMemory(const void* from, int64_t bytes) {
  int64_t blocks = bytes / kCeilingBlock;
  asm volatile(".balign 32\n1:\n" QUERN_MOVES("movups offset(%1),%%xmm0\n", "") "add $512,%1\ndec %0\njnz 1b\n"
               : "+r"(blocks), "+r"(from)
               :
               : "xmm0", "memory", "cc");
}

void CopyMemory(void* to, const void* from, int64_t bytes) {
  int64_t blocks = bytes / kCeilingBlock;
  asm volatile(".balign 32\n1:\n" QUERN_MOVES("movups offset(%1),%%xmm0\n", "movups %%xmm0,offset(%2)\n")  //
               "add $512,%1\nadd $512,%2\ndec %0\njnz 1b\n"
               : "+r"(blocks), "+r"(from), "+r"(to)
               :
               : "xmm0", "memory", "cc");
}

void UpdateMemory(void* at, int64_t bytes) {
  int64_t blocks = bytes / kCeilingBlock;
  asm volatile(".balign 32\n1:\n" QUERN_MOVES("movups offset(%1),%%xmm0\n", "movups %%xmm0,offset(%1)\n")  //
               "add $512,%1\ndec %0\njnz 1b\n"
               : "+r"(blocks), "+r"(at)
               :
               : "xmm0", "memory", "cc");
}

}  // namespace ref
}  // namespace quern
