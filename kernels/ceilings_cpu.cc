// Twelve chains hide the latency of any multiply-add unit so far; four steps a round hide the loop.
#include "kernels/ceilings_args.h"

#ifdef QUERN_AVX512
#define QUERN_REGISTER "zmm"
#define QUERN_STEP "64"
#define QUERN_FLOATS 16
#else
#define QUERN_REGISTER "ymm"
#define QUERN_STEP "32"
#define QUERN_FLOATS 8
#endif

// Four times `op` with two constant operands on each of twelve destinations.
#define QUERN_CHAINS(op, x, y) \
  ".rept 4\n.irp r,0,1,2,3,4,5,6,7,8,9,10,11\n" op " %%" x ",%%" y ",%%" QUERN_REGISTER "\\r\n.endr\n.endr\n"
#define QUERN_CLOBBERS                                                                                                \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", \
      "memory", "cc"
// Registers 12 and 13 hold the constants; the chains start from the second.
#define QUERN_SET_ALL                                                         \
  "vbroadcastss %1,%%" QUERN_REGISTER "12\nvbroadcastss %2,%%" QUERN_REGISTER \
  "13\n"                                                                      \
  ".irp r,0,1,2,3,4,5,6,7,8,9,10,11\nvmovaps %%" QUERN_REGISTER "13,%%" QUERN_REGISTER "\\r\n.endr\n"
#define QUERN_ROUNDS(op, x, y)                                                                        \
  asm volatile(QUERN_SET_ALL ".balign 32\n1:\n" QUERN_CHAINS(op, x, y) "dec %0\njnz 1b\nvzeroupper\n" \
               : "+r"(rounds)                                                                         \
               : "m"(first), "m"(second)                                                              \
               : QUERN_CLOBBERS)

namespace quern {
namespace QUERN_ISA {
namespace {

constexpr double kFloats = QUERN_FLOATS * 48;  // of all the registers that a round writes

}  // namespace

// x <- x / 2 + 1: the values stay where no processor slows down.
double F32Chains(int64_t rounds) {
  const float first = 0.5f, second = 1.0f;
  const double operations = 2 * kFloats * static_cast<double>(rounds);
  QUERN_ROUNDS("vfmadd132ps", QUERN_REGISTER "12", QUERN_REGISTER "13");
  return operations;
}

#ifdef QUERN_AVX512_BF16

double Bf16Chains(int64_t rounds) {
  const uint32_t first = 0x2F802F80u, second = 0x3F803F80u;  // pairs of 2^-32 and of 1
  const double operations = 4 * kFloats * static_cast<double>(rounds);
  QUERN_ROUNDS("vdpbf16ps", QUERN_REGISTER "12", QUERN_REGISTER "13");
  return operations;
}

double Int8Chains(int64_t rounds) {
  const uint32_t first = 0x01010101u, second = 0x01FF01FFu;
  const double operations = 8 * kFloats * static_cast<double>(rounds);
  QUERN_ROUNDS("vpdpbusd", QUERN_REGISTER "12", QUERN_REGISTER "13");
  return operations;
}

#else

double Bf16Chains(int64_t rounds) { return F32Chains(rounds); }

double Int8Chains(int64_t rounds) {
  const uint32_t first = 0x01010101u, second = 0x01FF01FFu;
  const double operations = 8 * kFloats * static_cast<double>(rounds);
  QUERN_ROUNDS("vpmaddubsw", QUERN_REGISTER "12", QUERN_REGISTER "13");
  return operations;
}

#endif

#define QUERN_LOADS(from)                                                               \
  ".set offset,0\n.rept 512/" QUERN_STEP "\nvmovups offset(" from "),%%" QUERN_REGISTER \
  "0\n.set offset,offset+" QUERN_STEP "\n.endr\n"
#define QUERN_MOVES(from, to)                                                                                          \
  ".set offset,0\n.rept 512/" QUERN_STEP "\nvmovups offset(" from "),%%" QUERN_REGISTER "0\nvmovups %%" QUERN_REGISTER \
  "0,offset(" to ")\n.set offset,offset+" QUERN_STEP "\n.endr\n"

void ReadMemory(const void* from, int64_t bytes) {
  int64_t blocks = bytes / kCeilingBlock;
  asm volatile(".balign 32\n1:\n" QUERN_LOADS("%1") "add $512,%1\ndec %0\njnz 1b\nvzeroupper\n"
               : "+r"(blocks), "+r"(from)
               :
               : "xmm0", "memory", "cc");
}

void CopyMemory(void* to, const void* from, int64_t bytes) {
  int64_t blocks = bytes / kCeilingBlock;
  asm volatile(".balign 32\n1:\n" QUERN_MOVES("%1", "%2") "add $512,%1\nadd $512,%2\ndec %0\njnz 1b\nvzeroupper\n"
               : "+r"(blocks), "+r"(from), "+r"(to)
               :
               : "xmm0", "memory", "cc");
}

void UpdateMemory(void* at, int64_t bytes) {
  int64_t blocks = bytes / kCeilingBlock;
  asm volatile(".balign 32\n1:\n" QUERN_MOVES("%1", "%1") "add $512,%1\ndec %0\njnz 1b\nvzeroupper\n"
               : "+r"(blocks), "+r"(at)
               :
               : "xmm0", "memory", "cc");
}

}  // namespace QUERN_ISA
}  // namespace quern
