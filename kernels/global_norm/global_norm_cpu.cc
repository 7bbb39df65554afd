// Sixteen lanes; compiled once per instruction set.
#include "kernels/global_norm/global_norm_args.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {

void SumSquaresChunks(const GlobalNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t chunk = begin; chunk < end; ++chunk) {
    int64_t first = chunk * kGlobalNormChunk, last = first + kGlobalNormChunk;
    F32x16 squares = Zero();
    ForEachVector(first, last < args.elements ? last : args.elements, [&](int64_t i, auto lanes) {
      F32x16 x = Load(args.x + i, lanes, Zero());
      squares = Fma(x, x, squares);
    });
    args.squares[chunk] = ReduceSum(squares);
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
