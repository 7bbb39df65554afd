// What this machine can do at most, measured now: arithmetic and memory ceilings at the current instruction set and the
// current pool's thread count. Inline assembly, so that no compiler's mood is measured; the best of several rounds, so
// that a busy machine gives a lower bound and never too much. Processors differ by 2x: ceilings are measured where they
// are used and never written down.
#ifndef QUERN_KERNELS_CEILINGS_H_
#define QUERN_KERNELS_CEILINGS_H_

#include "tensor/dtype.h"

namespace quern {

// Independent chains of multiply-adds in registers: flop/s, a multiply-add counting two. kF32; kBF16: dot-product
// instructions where the instruction set has them, else those of f32 (bf16 is widened); kI8: dot-product instructions,
// or the byte multiplication that any product needs. The reference is measured as SSE2.
double MeasureFlopsCeiling(DType dtype);

// Bytes/s of whichever memory level holds `footprint` bytes, each byte read and each byte written counting once: the
// best of reading all of them, copying one half to the other, and updating all of them in place.
double MeasureBandwidthCeiling(double footprint);
// The same, reading only: what bounds work that hardly writes (decoding, which reads every weight once a token).
double MeasureReadCeiling(double footprint);

}  // namespace quern

#endif  // QUERN_KERNELS_CEILINGS_H_
