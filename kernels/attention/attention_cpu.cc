// Tiles of query rows against blocks of 64 keys, in units of 2^x; compiled once per instruction set.
//
// Queries are scaled by scale * log2(e) once, so that scores are exponents of two. Nothing about a row depends on the
// tile it is in: every score, sum and output element is a chain of its own, over valid keys only.
#include "kernels/attention/attention_args.h"
#include "kernels/attention/attention_tile.h"

namespace quern {
namespace QUERN_ISA {
namespace {

constexpr int64_t kTile = kAttendTile;
constexpr int64_t kStats = kAttendStats;

// The tile's memory; rows of q, block and state are `padded` floats long.
struct Tile {
  Tile(float* scratch, int64_t dim)
      : padded(WholeVectors(dim)),
        q(scratch),
        p(q + kTile * padded),
        block(p + kTile * kBlock),
        state(block + kTile * padded),
        max(state + kTile * padded),
        sum(max + kStats),
        block_max(sum + kStats),
        block_sum(block_max + kStats) {
    for (int32_t& depth : depths) depth = static_cast<int32_t>(dim);
  }

  int64_t padded;
  float *q, *p, *block, *state;
  float *max, *sum, *block_max, *block_sum;  // a lane per row
  int32_t depths[kGroup];                    // the head dimension, for every row
  int32_t positions[kTile];
  int64_t places[kTile];  // rows of out and lse
  int32_t keys[kTile];    // valid keys of the current block
};

void LoadQueries(const AttentionArgs& args, const AttentionItem& item, int64_t first, int64_t rows, Tile& tile) {
  const int64_t group = args.heads / args.kv_heads;
  const F32x16 scale = Broadcast(args.scale * kLog2E);
  int64_t token = first / group, member = first % group;
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t head = item.kv_head * group + member;
    const float* q = args.q + (item.token + token) * args.q_token + head * args.q_head;
    for (int64_t d = 0; d < args.dim; d += kLanes)
      Store(tile.q + r * tile.padded + d, LoadFirst(q + d, args.dim - d, Zero()) * scale);
    // Heads follow each other, but a head's rows lie far apart, where the processor does not look ahead by itself.
    Prefetch(q + group * args.q_head, args.dim);
    Prefetch(args.out + ((item.token + token) * args.heads + head) * args.dim, args.dim);
    tile.positions[r] = static_cast<int32_t>(item.past + token);
    tile.places[r] = (item.token + token) * args.heads + head;
    if (++member == group) member = 0, ++token;
  }
}

// Scores of one row -> weights under the block's own maximum, zero beyond its valid keys.
template <int kVectors>
QUERN_INLINE void Weigh(float* p, int64_t keys, float* max, float* sum) {
  F32x16 x[kVectors];
  F32x16 top = Broadcast(kLowest);
  for (int v = 0; v < kVectors; ++v) x[v] = Load(p + v * kLanes);
  const F32x16 in_last = Broadcast(static_cast<float>(keys - (kVectors - 1) * kLanes));
  x[kVectors - 1] = Select(LaneNumbers() < in_last, x[kVectors - 1], Broadcast(-__builtin_inff()));
  for (int v = 0; v < kVectors; ++v) top = Max(x[v], top);
  *max = ReduceMax(top);
  const F32x16 m = Broadcast(*max);
  F32x16 total = Zero();
  for (int v = 0; v < kVectors; ++v) {
    x[v] = Exp2(x[v] - m);
    total = total + x[v];
    Store(p + v * kLanes, x[v]);
  }
  *sum = ReduceSum(total);
}

QUERN_INLINE void WeighRow(float* p, int64_t keys, float* max, float* sum) {
  switch ((keys + kLanes - 1) / kLanes) {
    case 4:
      return Weigh<4>(p, keys, max, sum);
    case 3:
      return Weigh<3>(p, keys, max, sum);
    case 2:
      return Weigh<2>(p, keys, max, sum);
    default:
      return Weigh<1>(p, keys, max, sum);
  }
}

// One block of keys and values, and where reading goes on after it (null where it need not be hurried).
struct Block {
  const float *k, *v, *k_ahead, *v_ahead;
};

// Few rows are done with a block sooner than memory brings the next.
Block BlockAt(const AttentionArgs& args, const AttentionItem& item, int64_t start, int64_t rows,
              int64_t last_position) {
  const int64_t at = item.blocks[start / kBlock] * args.block_stride + item.kv_head * args.block_head;
  Block block = {args.k_blocks + at, args.v_blocks + at, nullptr, nullptr};
  if (rows <= kGroup && start + kBlock <= last_position) {
    const int64_t next = item.blocks[start / kBlock + 1] * args.block_stride + item.kv_head * args.block_head;
    block.k_ahead = args.k_blocks + next;
    block.v_ahead = args.v_blocks + next;
  }
  return block;
}

// Counts the valid keys of the block at `start` for every row; returns the first row that has any.
int64_t CountKeys(int64_t start, int64_t rows, Tile& tile) {
  int64_t begin = rows;
  for (int64_t r = rows - 1; r >= 0; --r) {
    const int64_t keys = AtMost(kBlock, tile.positions[r] + 1 - start);
    tile.keys[r] = static_cast<int32_t>(keys);
    if (keys > 0) begin = r;
  }
  return begin;
}

// Rows [begin, end) of the tile against one block of keys: its maximum, its sum and its weighted sum of values, into
// `out`.
void AttendBlock(const AttentionArgs& args, const Block& block, int64_t begin, int64_t end, Tile& tile, float* out) {
  for (int64_t r = begin; r < end; r += kGroup) {
    const int64_t rows = AtMost(kGroup, end - r);
    Multiply({.a = tile.q + r * tile.padded,
              .a_row = tile.padded,
              .a_step = 1,
              .b = block.k,
              .b_row = kBlock,
              .c = tile.p + r * kBlock,
              .c_row = kBlock,
              .columns = WholeVectors(tile.keys[r + rows - 1]),
              .depths = tile.depths,
              .ahead = block.k_ahead},
             rows);
  }
  for (int64_t r = begin; r < end; ++r) {
    WeighRow(tile.p + r * kBlock, tile.keys[r], tile.block_max + r, tile.block_sum + r);
  }
  for (int64_t r = begin; r < end; r += kGroup) {
    Multiply({.a = tile.p + r * kBlock,
              .a_row = kBlock,
              .a_step = 1,
              .b = block.v,
              .b_row = args.dim,
              .c = out + r * tile.padded,
              .c_row = tile.padded,
              .columns = args.dim,
              .depths = tile.keys + r,
              .ahead = block.v_ahead},
             AtMost(kGroup, end - r));
  }
}

// The first block is the state as it is.
void TakeFirst(int64_t rows, Tile& tile) {
  for (int64_t r = 0; r < rows; ++r) tile.max[r] = tile.block_max[r], tile.sum[r] = tile.block_sum[r];
}

// What rows [begin, end) have so far, merged with the block; the tile's other rows stay as they are.
void Merge(int64_t begin, int64_t end, Tile& tile, const float* block_state) {
  alignas(64) float old_factor[kStats], block_factor[kStats];
  for (int64_t r = 0; r < begin; ++r) tile.block_max[r] = kLowest, tile.block_sum[r] = 0;
  for (int64_t r = 0; r < end; r += kLanes) {
    F32x16 old_max = Load(tile.max + r), block_max = Load(tile.block_max + r), max = Max(block_max, old_max);
    F32x16 a = Exp2(old_max - max), b = Exp2(block_max - max);
    Store(tile.max + r, max);
    Store(tile.sum + r, Fma(Load(tile.block_sum + r), b, Load(tile.sum + r) * a));
    Store(old_factor + r, a);
    Store(block_factor + r, b);
  }
  for (int64_t r = begin; r < end; ++r) {
    const F32x16 a = Broadcast(old_factor[r]), b = Broadcast(block_factor[r]);
    float* state = tile.state + r * tile.padded;
    const float* block = block_state + r * tile.padded;
    for (int64_t d = 0; d < tile.padded; d += kLanes) Store(state + d, Fma(Load(block + d), b, Load(state + d) * a));
  }
}

void Finish(const AttentionArgs& args, int64_t rows, const Tile& tile) {
  alignas(64) float lse[kStats];
  for (int64_t r = 0; args.lse != nullptr && r < rows; r += kLanes)
    Store(lse + r, LogSumExp(Load(tile.max + r), Load(tile.sum + r)));
  for (int64_t r = 0; r < rows; ++r) {
    if (args.lse != nullptr) args.lse[tile.places[r]] = lse[r];
    const F32x16 inverse = Broadcast(1.0f / tile.sum[r]);
    float* out = args.out + tile.places[r] * args.dim;
    for (int64_t d = 0; d < args.dim; d += kLanes) {
      StoreFirst(out + d, args.dim - d, Load(tile.state + r * tile.padded + d) * inverse);
    }
  }
}

}  // namespace

void AttentionStore(const AttentionArgs& args, const AttentionItem& item) {
  for (int64_t t = item.begin; t < item.end;) {
    const int64_t at = item.past + t, slot = at % kBlock, keys = AtMost(kBlock - slot, item.end - t);
    const int64_t block = item.blocks[at / kBlock] * args.block_stride + item.kv_head * args.block_head;
    const float* key = args.key + (item.token + t) * args.key_token + item.kv_head * args.key_head;
    const float* value = args.value + (item.token + t) * args.value_token + item.kv_head * args.value_head;
    PackKeys(key, args.key_token, keys, args.dim, args.k_blocks + block + slot);
    for (int64_t u = 0; u < keys; ++u) {
      Prefetch(key + u * args.key_token + args.key_head, args.dim);
      Prefetch(value + u * args.value_token + args.value_head, args.dim);
      float* to = args.v_blocks + block + (slot + u) * args.dim;
      for (int64_t d = 0; d < args.dim; d += kLanes) {
        StoreFirst(to + d, args.dim - d, LoadFirst(value + u * args.value_token + d, args.dim - d, Zero()));
      }
    }
    t += keys;
  }
}

void Attend(const AttentionArgs& args, const AttentionItem& item, float* scratch) {
  Tile tile(scratch, args.dim);
  for (int64_t first = item.begin; first < item.end; first += kTile) {
    const int64_t rows = AtMost(kTile, item.end - first);
    LoadQueries(args, item, first, rows, tile);
    const int64_t last = tile.positions[rows - 1];
    for (int64_t start = 0; start <= last; start += kBlock) {
      const int64_t begin = CountKeys(start, rows, tile);
      const Block block = BlockAt(args, item, start, rows, last);
      if (start == 0) {
        AttendBlock(args, block, 0, rows, tile, tile.state);
        TakeFirst(rows, tile);
      } else {
        AttendBlock(args, block, begin, rows, tile, tile.block);
        Merge(begin, rows, tile, tile.block);
      }
    }
    Finish(args, rows, tile);
  }
}

void AttendSpan(const AttentionArgs& args, const AttentionItem& item, int64_t first, int64_t last, float* partials,
                float* scratch) {
  Tile tile(scratch, args.dim);
  const int64_t rows = item.end - item.begin;
  LoadQueries(args, item, item.begin, rows, tile);
  for (int64_t b = first; b < last; ++b) {
    const int64_t begin = CountKeys(b * kBlock, rows, tile);
    float *state = partials + b * AttendPartial(rows, args.dim), *max = state + rows * tile.padded, *sum = max + kStats;
    AttendBlock(args, BlockAt(args, item, b * kBlock, rows, last * kBlock - 1), begin, rows, tile, state);
    for (int64_t r = begin; r < rows; ++r) max[r] = tile.block_max[r], sum[r] = tile.block_sum[r];
  }
}

void AttendMerge(const AttentionArgs& args, const AttentionItem& item, const float* partials, float* scratch) {
  Tile tile(scratch, args.dim);
  const int64_t rows = item.end - item.begin;
  LoadQueries(args, item, item.begin, rows, tile);
  for (int64_t start = 0; start <= tile.positions[rows - 1]; start += kBlock) {
    const int64_t begin = CountKeys(start, rows, tile);
    const float *state = partials + start / kBlock * AttendPartial(rows, args.dim), *max = state + rows * tile.padded;
    for (int64_t r = begin; r < rows; ++r) tile.block_max[r] = max[r], tile.block_sum[r] = max[kStats + r];
    if (start == 0) {
      for (int64_t i = 0; i < rows * tile.padded; i += kLanes) Store(tile.state + i, Load(state + i));
      TakeFirst(rows, tile);
    } else {
      Merge(begin, rows, tile, state);
    }
  }
  Finish(args, rows, tile);
}

}  // namespace QUERN_ISA
}  // namespace quern
