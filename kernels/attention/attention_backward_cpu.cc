// One (sequence, key-value head) at a time, block of keys by block, tile of query rows by tile: probabilities anew from
// lse, then
//
//   dV = P^T dO,   dS = P * (dO V^T - rowsum(dO * O)),   dK = scale dS^T Q,   dQ = scale dS K.
//
// Every element of dQ is a chain over its keys, of dK and dV one over the rows that see the key, heads of a group in
// turn.
#include "kernels/attention/attention_args.h"
#include "kernels/attention/attention_tile.h"

namespace quern {
namespace QUERN_ISA {
namespace {

constexpr int64_t kTile = kAttentionBackwardTile;

// Rows of a head lie far apart, where the processor does not look ahead by itself: they are asked for that many
// rows ahead.
constexpr int kAhead = 8;

struct Workspace {
  Workspace(float* scratch, int64_t rows, int64_t dim)
      : padded(WholeVectors(dim)),
        delta(scratch),
        lse(delta + WholeVectors(rows)),
        dq(lse + WholeVectors(rows)),
        q(dq + rows * padded),
        dout(q + kTile * padded),
        p(dout + kTile * padded),
        ds(p + kTile * kBlock),
        k(ds + kTile * kBlock),
        v(k + kBlock * padded),
        dk(v + kBlock * padded),
        dv(dk + kBlock * padded) {
    for (int32_t& depth : depths) depth = static_cast<int32_t>(dim);
  }

  int64_t padded;
  float *delta, *lse, *dq;   // of every row; lse in units of 2^x
  float *q, *dout, *p, *ds;  // of the tile; q scaled by scale * log2(e)
  float *k, *v, *dk, *dv;    // of the block; k and v transposed
  int32_t depths[kGroup];    // the head dimension, for every row
  int32_t keys[kTile];
};

// Walks the item's rows: tokens, and in each the heads of the group.
struct Row {
  Row(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, int64_t i)
      : group(args.heads / args.kv_heads),
        first_head(item.kv_head * group),
        token(item.token + i / group),
        head(first_head + i % group) {}
  void Next() {
    if (++head == first_head + group) head = first_head, ++token;
  }
  int64_t group, first_head, token, head;
};

void LoadRowStatistics(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, const Workspace& w) {
  Row row(args, item, item.row_begin), ahead(args, item, item.row_begin + kAhead);
  for (int64_t i = 0; i < item.row_end - item.row_begin; ++i, row.Next(), ahead.Next()) {
    const float* out = args.out + (row.token * args.heads + row.head) * args.dim;
    const float* dout = args.dout + row.token * args.dout_token + row.head * args.dout_head;
    Prefetch(args.out + (ahead.token * args.heads + ahead.head) * args.dim, args.dim);
    Prefetch(args.dout + ahead.token * args.dout_token + ahead.head * args.dout_head, args.dim);
    F32x16 sum = Zero();
    for (int64_t d = 0; d < args.dim; d += kLanes) {
      sum = Fma(LoadFirst(dout + d, args.dim - d, Zero()), LoadFirst(out + d, args.dim - d, Zero()), sum);
    }
    w.delta[i] = ReduceSum(sum);
    w.lse[i] = args.lse[row.token * args.heads + row.head] * kLog2E;
  }
}

void LoadTile(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, int64_t first, int64_t rows,
              int64_t start, int64_t block_keys, Workspace& w) {
  const F32x16 scale = Broadcast(args.scale * kLog2E);
  Row row(args, item, first), ahead(args, item, first + kAhead);
  for (int64_t r = 0; r < rows; ++r, row.Next(), ahead.Next()) {
    const float* q = args.q + row.token * args.q_token + row.head * args.q_head;
    const float* dout = args.dout + row.token * args.dout_token + row.head * args.dout_head;
    Prefetch(args.q + ahead.token * args.q_token + ahead.head * args.q_head, args.dim);
    Prefetch(args.dout + ahead.token * args.dout_token + ahead.head * args.dout_head, args.dim);
    for (int64_t d = 0; d < args.dim; d += kLanes) {
      Store(w.q + r * w.padded + d, LoadFirst(q + d, args.dim - d, Zero()) * scale);
      Store(w.dout + r * w.padded + d, LoadFirst(dout + d, args.dim - d, Zero()));
    }
    w.keys[r] = static_cast<int32_t>(AtMost(block_keys, row.token - item.token - start + 1));
  }
}

// A row of scores -> probabilities; of dP -> dS. Exactly zero beyond the row's keys. dp may be null.
QUERN_INLINE void WeighRow(float* p, float* dp, int64_t keys, float lse, float delta) {
  for (int64_t u = 0; u < kBlock; u += kLanes) {
    if (u >= keys) {
      Store(p + u, Zero());
      if (dp != nullptr) Store(dp + u, Zero());
      continue;
    }
    const Mask16 valid = LaneNumbers() < Broadcast(static_cast<float>(keys - u));
    const F32x16 probability = Select(valid, Exp2(Load(p + u) - Broadcast(lse)), Zero());
    Store(p + u, probability);
    if (dp != nullptr) Store(dp + u, Select(valid, probability * (Load(dp + u) - Broadcast(delta)), Zero()));
  }
}

// P and, where dq or dk need it, dS of a tile of rows against the block.
void ProbabilitiesOfTile(int64_t first, int64_t rows, bool want_ds, const Workspace& w) {
  for (int64_t r = 0; r < rows; r += kGroup) {
    const int64_t some = AtMost(kGroup, rows - r);
    Product scores = {.a = w.q + r * w.padded,
                      .a_row = w.padded,
                      .a_step = 1,
                      .b = w.k,
                      .b_row = kBlock,
                      .c = w.p + r * kBlock,
                      .c_row = kBlock,
                      .columns = WholeVectors(w.keys[r + some - 1]),
                      .depths = w.depths};
    Multiply(scores, some);
    if (!want_ds) continue;
    Product dp = scores;
    dp.a = w.dout + r * w.padded;
    dp.b = w.v;
    dp.c = w.ds + r * kBlock;
    Multiply(dp, some);
  }
  for (int64_t r = 0; r < rows; ++r) {
    float* ds = want_ds ? w.ds + r * kBlock : nullptr;
    WeighRow(w.p + r * kBlock, ds, w.keys[r], w.lse[first + r], w.delta[first + r]);
  }
}

// to[u, :] (+)= sum_r weights[r, u] * rows[r, :] over the tile's rows that see key u, row `before` + r of the block's
// first key.
void AddTransposed(const float* weights, const float* rows_of, int64_t rows, int64_t before, int64_t group,
                   int64_t block_keys, float* to, const Workspace& w) {
  for (int64_t u = 0; u < block_keys; u += kGroup) {
    // Rows that do not see the first of these keys see none; weights of those that see some are zero for the others.
    int64_t begin = u * group - before;
    begin = begin < 0 ? 0 : AtMost(begin, rows);
    int32_t depths[kGroup];
    for (int32_t& depth : depths) depth = static_cast<int32_t>(rows - begin);
    Multiply({.a = weights + begin * kBlock + u,
              .a_row = 1,
              .a_step = kBlock,
              .b = rows_of + begin * w.padded,
              .b_row = w.padded,
              .c = to + u * w.padded,
              .c_row = w.padded,
              .columns = w.padded,
              .depths = depths,
              .add = before > 0},
             AtMost(kGroup, block_keys - u));
  }
}

// dq[r, :] (+)= sum_u dS[r, u] * k[u, :].
void AddToQueries(const AttentionBackwardArgs& args, const float* k, int64_t rows, bool add, float* dq,
                  const Workspace& w) {
  for (int64_t r = 0; r < rows; r += kGroup) {
    Multiply({.a = w.ds + r * kBlock,
              .a_row = kBlock,
              .a_step = 1,
              .b = k,
              .b_row = args.k_token,
              .c = dq + r * w.padded,
              .c_row = w.padded,
              .columns = args.dim,
              .depths = w.keys + r,
              .add = add},
             AtMost(kGroup, rows - r));
  }
}

QUERN_INLINE void WriteRow(const float* from, int64_t dim, float factor, bool add, float* to, int64_t to_row) {
  for (int64_t d = 0; d < dim; d += kLanes) __builtin_prefetch(to + kAhead * to_row + d, /*for writing*/ 1);
  for (int64_t d = 0; d < dim; d += kLanes) {
    F32x16 x = Load(from + d) * Broadcast(factor);
    if (add) x = LoadFirst(to + d, dim - d, Zero()) + x;
    StoreFirst(to + d, dim - d, x);
  }
}

// dK = scale dS^T Q, and the tile's q has scale * log2(e) in it.
void WriteKeys(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, int64_t start, int64_t keys,
               const Workspace& w) {
  for (int64_t u = 0; u < keys; ++u) {
    const int64_t token = item.token + start + u;
    if (args.dk != nullptr) {
      float* to = args.dk + token * args.dk_token + item.kv_head * args.dk_head;
      WriteRow(w.dk + u * w.padded, args.dim, kLn2, args.add_dk, to, args.dk_token);
    }
    if (args.dv != nullptr) {
      float* to = args.dv + token * args.dv_token + item.kv_head * args.dv_head;
      WriteRow(w.dv + u * w.padded, args.dim, 1.0f, args.add_dv, to, args.dv_token);
    }
  }
}

}  // namespace

void AttentionBackward(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, float* scratch) {
  const int64_t group = args.heads / args.kv_heads, rows = item.row_end - item.row_begin;
  const bool want_ds = args.dq != nullptr || args.dk != nullptr;
  Workspace w(scratch, rows, args.dim);
  LoadRowStatistics(args, item, w);
  for (int64_t start = item.key_begin; start < item.key_end; start += kBlock) {
    const int64_t block_keys = AtMost(kBlock, item.tokens - start), token = item.token + start;
    const float* k = args.k + token * args.k_token + item.kv_head * args.k_head;
    PackKeys<kAhead>(k, args.k_token, block_keys, args.dim, w.k);
    const float* v = args.v + token * args.v_token + item.kv_head * args.v_head;
    if (want_ds) PackKeys<kAhead>(v, args.v_token, block_keys, args.dim, w.v);
    const int64_t seeing = start * group > item.row_begin ? start * group : item.row_begin;
    for (int64_t first = seeing; first < item.row_end; first += kTile) {
      const int64_t some = AtMost(kTile, item.row_end - first), before = first - start * group,
                    at = first - item.row_begin;
      LoadTile(args, item, first, some, start, block_keys, w);
      ProbabilitiesOfTile(at, some, want_ds, w);
      if (args.dv != nullptr) AddTransposed(w.p, w.dout, some, before, group, block_keys, w.dv, w);
      if (args.dk != nullptr) AddTransposed(w.ds, w.q, some, before, group, block_keys, w.dk, w);
      if (args.dq != nullptr) AddToQueries(args, k, some, start > 0, w.dq + at * w.padded, w);
    }
    WriteKeys(args, item, start, block_keys, w);
  }
  Row row(args, item, item.row_begin);
  for (int64_t i = 0; args.dq != nullptr && i < rows; ++i, row.Next()) {
    float* to = args.dq + row.token * args.dq_token + row.head * args.dq_head;
    WriteRow(w.dq + i * w.padded, args.dim, args.scale, args.add_dq, to, args.dq_token);
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
