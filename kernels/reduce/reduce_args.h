// What every version of the reductions takes.
#ifndef QUERN_KERNELS_REDUCE_REDUCE_ARGS_H_
#define QUERN_KERNELS_REDUCE_REDUCE_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

inline constexpr int64_t kReduceChunk = 4096;  // elements
inline constexpr int64_t kSumRowsChunk = 64;   // rows

struct ReduceArgs {
  const float* x;
  float* chunks;  // one result per chunk of kReduceChunk elements
  int64_t elements;
};

struct SumRowsArgs {
  const float* x;  // [rows, cols]
  float* out;      // [cols]
  int64_t rows, cols;
  bool add;
};

struct ArgMaxArgs {
  const float* x;  // [rows, cols]
  int32_t* index;  // [rows]
  int64_t cols;
};

QUERN_FOR_EACH_ISA(
    // Chunks [begin, end). The maximum is NaN where an element is.
    void SumChunks(const ReduceArgs& args, int64_t begin, int64_t end);
    void MaxChunks(const ReduceArgs& args, int64_t begin, int64_t end);
    // Columns [begin, end).
    void SumRowsColumns(const SumRowsArgs& args, int64_t begin, int64_t end);
    // Rows [begin, end).
    void ArgMaxRows(const ArgMaxArgs& args, int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_REDUCE_REDUCE_ARGS_H_
