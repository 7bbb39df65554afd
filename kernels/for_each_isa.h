// QUERN_FOR_EACH_ISA(declarations): the same declarations in the namespace of the reference and of every instruction
// set. For NAME_args.h files. Includes nothing, so that per-instruction-set units may include it.
#ifndef QUERN_KERNELS_FOR_EACH_ISA_H_
#define QUERN_KERNELS_FOR_EACH_ISA_H_

#define QUERN_FOR_EACH_ISA(...) \
  namespace ref {               \
  __VA_ARGS__                   \
  }                             \
  namespace avx2 {              \
  __VA_ARGS__                   \
  }                             \
  namespace avx512 {            \
  __VA_ARGS__                   \
  }                             \
  namespace avx512_bf16 {       \
  __VA_ARGS__                   \
  }

#endif  // QUERN_KERNELS_FOR_EACH_ISA_H_
