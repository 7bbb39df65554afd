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
    if (args.addend != nullptr && block.last) {
      tile.addend = args.addend + block.i * args.addend_row + block.j + j;
      tile.addend_row = args.addend_row;
    }
    by_rows ? RunTiles<true>(tile, tiling) : RunTiles<false>(tile, tiling);
  }
}

// Columns [j, j + columns) of the part, k from k0 to k_end.
struct Columns {
  int64_t j, columns, k0, k_end;
};

// Rows [i, i_end) of them, at most blocks.rows. `pack`: they are the first, and b has to be packed.
void RunRows(const MatmulArgs& args, const MatmulPart& part, const Columns& at, int64_t i, int64_t i_end, bool pack) {
  const MatmulBlocks& blocks = part.blocks;
  const bool all_rows_aside = args.k > blocks.packed_k;
  const int64_t panels = (at.columns + kPanel - 1) / kPanel;
  int64_t k = at.k0;
  do {
    Block block{};
    block.i = i;
    block.rows = i_end - i;
    block.j = at.j;
    block.columns = at.columns;
    block.k0 = k;
    block.k = Min(blocks.k, at.k_end - k);
    block.last = k + block.k == args.k;
    if (args.panels != nullptr) {
      block.b = args.panels + at.j * args.k + k * kLanes;
      block.panel_stride = args.k * kPanel;
      block.half_stride = args.k * kLanes;
    } else {
      float* packed = part.packed_b + (k - at.k0) * panels * kPanel;
      if (pack) {
        PackB(args.b + k * args.b_k + at.j * args.b_column, args.b_k, args.b_column, block.k, at.columns, packed);
      }
      block.b = packed;
      block.panel_stride = block.k * kPanel;
      block.half_stride = block.k * kLanes;
    }
    float* c = args.c + i * args.c_row + at.j;
    // Where c holds what is added to, unfinished chains wait elsewhere.
    const bool aside = args.addend == args.c;
    float* held = aside ? part.chains + (all_rows_aside ? i - part.row_begin : 0) * blocks.columns : c;
    block.chains = k == 0 ? nullptr : held;
    block.chains_row = aside ? blocks.columns : args.c_row;
    block.to = block.last ? c : held;
    block.to_row = block.last ? args.c_row : block.chains_row;
    RunBlock(args, block, part.packed_a);
    k += block.k;
  } while (k < at.k_end);
}

void RunColumns(const MatmulArgs& args, const MatmulPart& part, const Columns& at) {
  // Threads even out at the end of their parts, and where no row waits for a later block of k.
  if (part.take_rows != nullptr && at.k_end - at.k0 == args.k && at.j + at.columns == part.column_end) {
    int64_t i, i_end;
    for (bool first = true; part.take_rows(part, &i, &i_end); first = false) RunRows(args, part, at, i, i_end, first);
    return;
  }
  for (int64_t i = part.row_begin; i < part.row_end; i += part.blocks.rows) {
    RunRows(args, part, at, i, Min(i + part.blocks.rows, part.row_end), i == part.row_begin);
  }
}

}  // namespace

void MatmulTile(const MatmulArgs& args, const MatmulPart& part) {
  const MatmulBlocks& blocks = part.blocks;
  for (int64_t j = part.column_begin; j < part.column_end; j += blocks.columns) {
    int64_t k = 0;
    do {
      const int64_t end = Min(k + blocks.packed_k, args.k);
      RunColumns(args, part, {j, Min(blocks.columns, part.column_end - j), k, end});
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
