// Blocks of b stay in the second cache, half a panel of b and a tile of a in the first, twelve chains in registers;
// compiled once per instruction set.
#include "kernels/matmul/matmul_args.h"
#include "kernels/matmul/matmul_pack.h"
#include "kernels/matmul/matmul_tile.h"
#include "kernels/simd.h"

namespace quern {
namespace QUERN_ISA {
namespace {

// A block of c and the block of k that it takes next.
struct Block {
  int64_t i, rows, j, columns, k0, k;
  const float* b;  // its panels
  int64_t panel_stride, half_stride;
  const float* chains;  // of row i, column j; null at the first block of k
  int64_t chains_row;
  float* to;
  int64_t to_row;
  bool last;
};

void RunBlock(const MatmulArgs& args, const Block& block, float* packed_a) {
  const bool by_rows = args.a_k == 1;
  const float* a = args.a + block.i * args.a_row + block.k0 * args.a_k;
  const Tiling tiling(block.rows);
  if (!by_rows) PackA(a, args.a_k, block.k, tiling, packed_a);
  const int64_t step = tiling.wide ? kPanel : kLanes;
  for (int64_t j = 0; j < block.columns; j += step) {
    Tile tile{};
    tile.a = by_rows ? a : packed_a;
    tile.a_row = args.a_row;
    tile.b = block.b + j / kPanel * block.panel_stride + j % kPanel / kLanes * block.half_stride;
    tile.b_half = block.half_stride;
    tile.k = block.k;
    tile.chains = block.chains == nullptr ? nullptr : block.chains + j;
    tile.chains_row = block.chains_row;
    tile.c = block.to + j;
    tile.c_row = block.to_row;
    tile.columns = block.columns - j;
    tile.bias = args.bias == nullptr || !block.last ? nullptr : args.bias + block.j + j;
    tile.add = args.add && block.last;
    by_rows ? RunTiles<true>(tile, tiling) : RunTiles<false>(tile, tiling);
  }
}

// Columns [j, j + columns) of all rows of the part, k from k0 to k_end.
void RunColumns(const MatmulArgs& args, const MatmulPart& part, int64_t j, int64_t columns, int64_t k0, int64_t k_end) {
  const MatmulBlocks& blocks = part.blocks;
  const bool all_rows_aside = args.k > blocks.packed_k;
  const int64_t panels = (columns + kPanel - 1) / kPanel;
  for (int64_t i = part.row_begin; i < part.row_end; i += blocks.rows) {
    int64_t k = k0;
    do {
      Block block{};
      block.i = i;
      block.rows = Min(blocks.rows, part.row_end - i);
      block.j = j;
      block.columns = columns;
      block.k0 = k;
      block.k = Min(blocks.k, k_end - k);
      block.last = k + block.k == args.k;
      if (args.panels != nullptr) {
        block.b = args.panels + j * args.k + k * kLanes;
        block.panel_stride = args.k * kPanel;
        block.half_stride = args.k * kLanes;
      } else {
        float* packed = part.packed_b + (k - k0) * panels * kPanel;
        if (i == part.row_begin) {
          PackB(args.b + k * args.b_k + j * args.b_column, args.b_k, args.b_column, block.k, columns, packed);
        }
        block.b = packed;
        block.panel_stride = block.k * kPanel;
        block.half_stride = block.k * kLanes;
      }
      float* c = args.c + i * args.c_row + j;
      // c holds what is added to, so unfinished chains wait elsewhere.
      float* held = args.add ? part.chains + (all_rows_aside ? i - part.row_begin : 0) * blocks.columns : c;
      block.chains = k == 0 ? nullptr : held;
      block.chains_row = args.add ? blocks.columns : args.c_row;
      block.to = block.last ? c : held;
      block.to_row = block.last ? args.c_row : block.chains_row;
      RunBlock(args, block, part.packed_a);
      k += block.k;
    } while (k < k_end);
  }
}

}  // namespace

void MatmulTile(const MatmulArgs& args, const MatmulPart& part) {
  const MatmulBlocks& blocks = part.blocks;
  for (int64_t j = part.column_begin; j < part.column_end; j += blocks.columns) {
    int64_t k = 0;
    do {
      const int64_t end = Min(k + blocks.packed_k, args.k);
      RunColumns(args, part, j, Min(blocks.columns, part.column_end - j), k, end);
      k = end;
    } while (k < args.k);
  }
}

void PackPanels(const float* b, int64_t b_k, int64_t b_column, int64_t k, int64_t n, float* panels, int64_t begin,
                int64_t end) {
  PackB(b + begin * kPanel * b_column, b_k, b_column, k, Min(n, end * kPanel) - begin * kPanel,
        panels + begin * k * kPanel);
}

}  // namespace QUERN_ISA
}  // namespace quern
