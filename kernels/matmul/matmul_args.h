// What every version of the product takes: pointers, strides and sizes. A part of the output is one serial tile of
// work.
#ifndef QUERN_KERNELS_MATMUL_MATMUL_ARGS_H_
#define QUERN_KERNELS_MATMUL_MATMUL_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

// c[i,j] (+)= sum_k a[i,k] b[k,j] (+ bias[j]). Strides are in elements.
struct MatmulArgs {
  const float* a;
  int64_t a_row, a_k;  // a[i,k] is a[i * a_row + k * a_k]; one of the two is 1
  const float* b;
  int64_t b_k, b_column;  // b[k,j] is b[k * b_k + j * b_column]; one of the two is 1. Not read where panels are given
  const float* panels;    // the whole of b as PackPanels leaves it, or null
  const float* bias;      // [n] or null
  float* c;
  int64_t c_row;
  int64_t m, n, k;
  // [m, n] or null: the finished chain, with its bias, is added to it. c itself where gradients accumulate, otherwise
  // memory apart from c.
  const float* addend;
  int64_t addend_row;
};

// b, packed: panels of kPanel columns, the last one padded with zeros; a panel is two halves, each [k][kHalfPanel], so
// that a tile one vector wide reads whole lines in order.
inline constexpr int64_t kPanel = 32, kHalfPanel = 16;

// How the vector versions walk a part; no bit depends on it (matmul_plan.h chooses).
struct MatmulBlocks {
  int64_t rows;      // of a and c
  int64_t columns;   // of b and c; a multiple of kPanel
  int64_t k;         // of one block of a and of b
  int64_t packed_k;  // what is packed of b before the next rows' turn: whole blocks
};

// Rows [row_begin, row_end) and columns [column_begin, column_end) of c. Columns begin at multiples of kPanel.
struct MatmulPart {
  int64_t row_begin, row_end, column_begin, column_end;
  MatmulBlocks blocks;
  // Scratch, aligned to 64 bytes, or null where there is no need; the reference has none.
  float* packed_b;  // [blocks.packed_k][blocks.columns] unless args.panels are given
  float* packed_a;  // [blocks.rows][blocks.k] where args.a_row is 1
  float* chains;    // [rows][blocks.columns] where a later block of k has to be waited for and c is the addend
  // Hands out rows to the parts with these columns, at most blocks.rows at a time, until none of any is left; true
  // while there are. Null where each part keeps to its own. The reference always does.
  bool (*take_rows)(const MatmulPart& part, int64_t* begin, int64_t* end);
  void* taker;
};

QUERN_FOR_EACH_ISA(void MatmulTile(const MatmulArgs& args, const MatmulPart& part);
                   // b[k,j] = b[k * b_k + j * b_column] into panels [begin, end).
                   void PackPanels(const float* b, int64_t b_k, int64_t b_column, int64_t k, int64_t n, float* panels,
                                   int64_t begin, int64_t end);)

}  // namespace quern

#endif  // QUERN_KERNELS_MATMUL_MATMUL_ARGS_H_
