#include "kernels/matmul/matmul_plan.h"

#include <algorithm>

namespace quern {
namespace {

// Found by trying, on Zen 4 (32 KiB, 1 MiB and 32 MiB of cache): a block of b (512 KiB), the rows of a that use it and
// their c stay in the second cache, what is packed of b (2 MiB or 4 MiB) in the third.
constexpr int64_t kMostRows = 96, kMostColumns = 256, kMostK = 512, kMostPackedK = 2048;
// Where a is packed, wider blocks of b spare it some turns.
constexpr int64_t kMostColumnsPacking = 512, kMostKPacking = 256;

// Whole register tiles of six and of eight rows; up to that many rows are a stream's.
constexpr int64_t kRowStep = 24;
// Multiply-adds that are worth a thread of their own: a few microseconds.
constexpr double kGrain = 128 * 1024;

int64_t Ceil(int64_t a, int64_t b) { return (a + b - 1) / b; }

// `size` in as few equal blocks of at most `most` as possible, in multiples of `step`.
int64_t EvenBlock(int64_t size, int64_t most, int64_t step) {
  return Ceil(Ceil(size, std::max<int64_t>(1, Ceil(size, most))), step) * step;
}

// Cycles per k of one part, roughly: sixteen multiply-adds a cycle, one element of b packed a cycle, two of a.
double Cost(const MatmulArgs& args, int64_t rows, int64_t columns) {
  double cost = static_cast<double>(Ceil(rows, 8) * 8 * columns) / 16;
  if (args.panels == nullptr) cost += static_cast<double>(columns);
  // The other threads' rows of a have to cross over from their caches.
  if (args.a_k == 1 && columns < Ceil(args.n, kPanel) * kPanel) cost += static_cast<double>(rows);
  if (args.a_k != 1) cost += static_cast<double>(rows * Ceil(columns, kMostColumnsPacking)) / 2;
  return cost;
}

MatmulBlocks BlocksOf(const MatmulArgs& args, int64_t rows, int64_t columns) {
  const bool packing = args.a_k != 1;
  MatmulBlocks blocks{};
  blocks.rows = EvenBlock(rows, kMostRows, kRowStep);
  blocks.columns = EvenBlock(columns, packing ? kMostColumnsPacking : kMostColumns, kPanel);
  // Panels that serve few rows are not worth keeping: each is read once, in order, as a stream.
  const bool stream = args.panels != nullptr && rows <= kRowStep;
  blocks.k = stream || args.k == 0 ? args.k : EvenBlock(args.k, packing ? kMostKPacking : kMostK, 8);
  blocks.packed_k = args.panels != nullptr || args.k == 0 ? args.k : kMostPackedK / blocks.k * blocks.k;
  return blocks;
}

}  // namespace

MatmulPlan PlanMatmul(const MatmulArgs& args, int threads) {
  const double work = static_cast<double>(args.m) * static_cast<double>(args.n) * static_cast<double>(args.k);
  const int64_t most = std::clamp<int64_t>(static_cast<int64_t>(work / kGrain), 1, threads);
  const int64_t panels = Ceil(args.n, kPanel);
  MatmulPlan plan;
  int64_t rows = args.m, columns = panels * kPanel;
  for (int64_t row_parts = 1; row_parts <= most; ++row_parts) {
    const int64_t column_parts = std::min(most / row_parts, panels);
    const int64_t part_rows = Ceil(args.m, row_parts), part_columns = Ceil(panels, column_parts) * kPanel;
    if (Cost(args, part_rows, part_columns) >= Cost(args, rows, columns)) continue;
    plan.row_parts = row_parts;
    plan.column_parts = column_parts;
    rows = part_rows;
    columns = part_columns;
  }
  plan.blocks = BlocksOf(args, rows, columns);
  const MatmulBlocks& blocks = plan.blocks;
  const int64_t packed_k = std::min(args.k, blocks.packed_k);
  if (args.panels == nullptr) plan.packed_b = blocks.columns * packed_k;
  if (args.a_k != 1) plan.packed_a = Ceil(blocks.rows * blocks.k, 16) * 16;
  const bool c_is_taken = args.addend != nullptr && args.addend == args.c;
  if (c_is_taken && args.k > blocks.k) plan.chains = (args.k > packed_k ? rows : blocks.rows) * blocks.columns;
  return plan;
}

MatmulPart PartOf(const MatmulArgs& args, const MatmulPlan& plan, int64_t index, float* scratch) {
  const int64_t row = index / plan.column_parts, column = index % plan.column_parts;
  const int64_t panels = Ceil(args.n, kPanel);
  MatmulPart part{};
  part.row_begin = args.m * row / plan.row_parts;
  part.row_end = args.m * (row + 1) / plan.row_parts;
  part.column_begin = panels * column / plan.column_parts * kPanel;
  part.column_end = std::min(panels * (column + 1) / plan.column_parts * kPanel, args.n);
  part.blocks = plan.blocks;
  if (scratch == nullptr) return part;
  float* own = scratch + index * plan.scratch();
  part.packed_b = own;
  part.packed_a = own + plan.packed_b;
  part.chains = own + plan.packed_b + plan.packed_a;
  return part;
}

}  // namespace quern
