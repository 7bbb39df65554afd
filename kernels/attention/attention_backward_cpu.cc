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
        dv(dk + kBlock * padded) {}

  int64_t padded;
  float *delta, *lse, *dq;   // of every row; lse in units of 2^x
  float *q, *dout, *p, *ds;  // of the tile; q scaled by scale * log2(e)
  float *k, *v, *dk, *dv;    // of the block; k and v transposed
  int32_t depths[kTile > kBlock ? kTile : kBlock];
  int32_t keys[kTile];
};

// Where row i of the item is.
struct Row {
  int64_t token, head;
};
QUERN_INLINE Row RowAt(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, int64_t i) {
  const int64_t group = args.heads / args.kv_heads;
  return {item.token + i / group, item.kv_head * group + i % group};
}

void LoadRowStatistics(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, int64_t rows,
                       const Workspace& w) {
  for (int64_t i = 0; i < rows; ++i) {
    const Row row = RowAt(args, item, i);
    const float* out = args.out + (row.token * args.heads + row.head) * args.dim;
    const float* dout = args.dout + row.token * args.dout_token + row.head * args.dout_head;
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
  for (int64_t r = 0; r < rows; ++r) {
    const Row row = RowAt(args, item, first + r);
    const float* q = args.q + row.token * args.q_token + row.head * args.q_head;
    const float* dout = args.dout + row.token * args.dout_token + row.head * args.dout_head;
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
void ProbabilitiesOfTile(const AttentionBackwardArgs& args, int64_t first, int64_t rows, bool want_ds,
                         const Workspace& w) {
  for (int64_t r = 0; r < rows; r += kGroup) {
    const int64_t some = AtMost(kGroup, rows - r), columns = WholeVectors(w.keys[r + some - 1]);
    Multiply({w.q + r * w.padded, w.padded, 1, w.k, kBlock, w.p + r * kBlock, kBlock, columns, w.depths, false}, some);
    if (want_ds) {
      Multiply({w.dout + r * w.padded, w.padded, 1, w.v, kBlock, w.ds + r * kBlock, kBlock, columns, w.depths, false},
               some);
    }
  }
  for (int64_t r = 0; r < rows; ++r) {
    WeighRow(w.p + r * kBlock, want_ds ? w.ds + r * kBlock : nullptr, w.keys[r], w.lse[first + r], w.delta[first + r]);
  }
}

// to[u, :] += sum_r from[r, u] * rows[r, :], over the tile's rows that see key u: from `seen` * group - first on.
void AddTransposed(const float* from, const float* rows_of, int64_t rows, int64_t first_seen, int64_t group,
                   int64_t block_keys, bool add, float* to, const Workspace& w) {
  for (int64_t u = 0; u < block_keys; u += kGroup) {
    const int64_t some = AtMost(kGroup, block_keys - u);
    int64_t begin = u * group - first_seen;
    begin = begin < 0 ? 0 : AtMost(begin, rows);
    int32_t depths[kGroup];
    for (int32_t& depth : depths) depth = static_cast<int32_t>(rows - begin);
    Multiply({from + begin * kBlock + u, 1, kBlock, rows_of + begin * w.padded, w.padded, to + u * w.padded, w.padded,
              w.padded, depths, add},
             some);
  }
}

QUERN_INLINE void WriteRow(const float* from, int64_t dim, float factor, bool add, float* to) {
  for (int64_t d = 0; d < dim; d += kLanes) {
    F32x16 x = Load(from + d) * Broadcast(factor);
    if (add) x = LoadFirst(to + d, dim - d, Zero()) + x;
    StoreFirst(to + d, dim - d, x);
  }
}

}  // namespace

void AttentionBackward(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, float* scratch) {
  const int64_t group = args.heads / args.kv_heads, rows = item.tokens * group;
  const bool want_ds = args.dq != nullptr || args.dk != nullptr;
  Workspace w(scratch, rows, args.dim);
  for (int32_t& depth : w.depths) depth = static_cast<int32_t>(args.dim);
  LoadRowStatistics(args, item, rows, w);
  for (int64_t start = 0; start < item.tokens; start += kBlock) {
    const int64_t block_keys = AtMost(kBlock, item.tokens - start), token = item.token + start;
    const float* k = args.k + token * args.k_token + item.kv_head * args.k_head;
    PackKeys(k, args.k_token, block_keys, args.dim, w.k);
    if (want_ds)
      PackKeys(args.v + token * args.v_token + item.kv_head * args.v_head, args.v_token, block_keys, args.dim, w.v);
    for (int64_t first = start * group; first < rows; first += kTile) {
      const int64_t some = AtMost(kTile, rows - first);
      const bool add = first > start * group;
      LoadTile(args, item, first, some, start, block_keys, w);
      ProbabilitiesOfTile(args, first, some, want_ds, w);
      if (args.dv != nullptr) AddTransposed(w.p, w.dout, some, first - start * group, group, block_keys, add, w.dv, w);
      if (args.dk != nullptr) AddTransposed(w.ds, w.q, some, first - start * group, group, block_keys, add, w.dk, w);
      for (int64_t r = 0; args.dq != nullptr && r < some; r += kGroup) {
        Multiply({w.ds + r * kBlock, kBlock, 1, k, args.k_token, w.dq + (first + r) * w.padded, w.padded, args.dim,
                  w.keys + r, start > 0},
                 AtMost(kGroup, some - r));
      }
    }
    for (int64_t u = 0; u < block_keys; ++u) {
      if (args.dk != nullptr) {
        WriteRow(w.dk + u * w.padded, args.dim, kLn2, args.add_dk,
                 args.dk + (token + u) * args.dk_token + item.kv_head * args.dk_head);
      }
      if (args.dv != nullptr) {
        WriteRow(w.dv + u * w.padded, args.dim, 1.0f, args.add_dv,
                 args.dv + (token + u) * args.dv_token + item.kv_head * args.dv_head);
      }
    }
  }
  for (int64_t i = 0; args.dq != nullptr && i < rows; ++i) {
    const Row row = RowAt(args, item, i);
    WriteRow(w.dq + i * w.padded, args.dim, args.scale, args.add_dq,
             args.dq + row.token * args.dq_token + row.head * args.dq_head);
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
