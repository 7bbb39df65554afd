// What every version of attention takes: pointers and sizes.
//
// A serial item is a range of query rows of one (sequence, key-value head): row i is the sequence's token i / group,
// query head kv_head * group + i % group, so that the heads of a group share every key and value read. Rows ascend in
// position.
#ifndef QUERN_KERNELS_ATTENTION_ATTENTION_ARGS_H_
#define QUERN_KERNELS_ATTENTION_ATTENTION_ARGS_H_

#include <cstdint>

#include "kernels/for_each_isa.h"

namespace quern {

// Keys of one block.
inline constexpr int64_t kAttentionBlock = 64;

struct AttentionArgs {
  const float* q;           // [N, H, D], strides below, contiguous in D
  int64_t q_token, q_head;  // in elements
  const float* key;         // the call's own keys and values [N, Hkv, D], to be written to blocks
  int64_t key_token, key_head;
  const float* value;
  int64_t value_token, value_head;
  float* k_blocks;  // [D, 64] at block * block_stride + kv_head * block_head
  float* v_blocks;  // [64, D] there
  int64_t block_stride, block_head;
  float* out;  // [N, H, D]
  float* lse;  // [N, H] or null
  int64_t heads, kv_heads, dim;
  float scale;
};

struct AttentionItem {
  const int32_t* blocks;  // the sequence's block ids, from position 0
  int64_t token;          // its first row in N
  int64_t past;           // keys before that row
  int64_t kv_head;
  int64_t begin, end;  // tokens of the sequence (Store) or query rows (Attend)
};

// Attend's tile: its rows, the length of its arrays of a lane per row, and the floats of scratch that it needs.
inline constexpr int64_t kAttendTile = 24;
inline constexpr int64_t kAttendStats = 32;
[[maybe_unused]] static constexpr int64_t AttendScratch(int64_t dim) {
  return kAttendTile * (3 * ((dim + 15) / 16 * 16) + kAttentionBlock) + 4 * kAttendStats;
}
// What AttendSpan leaves of one block: the weighted sums of values, the maxima and the sums of the tile's rows.
[[maybe_unused]] static constexpr int64_t AttendPartial(int64_t rows, int64_t dim) {
  return rows * ((dim + 15) / 16 * 16) + 2 * kAttendStats;
}

inline constexpr int64_t kAttentionBackwardTile = 64;
[[maybe_unused]] static constexpr int64_t AttentionBackwardScratch(int64_t rows, int64_t dim) {
  const int64_t padded = (dim + 15) / 16 * 16;
  return 2 * ((rows + 15) / 16 * 16) + (rows + 2 * kAttentionBackwardTile + 4 * kAttentionBlock) * padded +
         2 * kAttentionBackwardTile * kAttentionBlock;
}

struct AttentionBackwardArgs {
  const float* q;  // [N, H, D]
  int64_t q_token, q_head;
  const float* k;  // [N, Hkv, D]
  int64_t k_token, k_head;
  const float* v;
  int64_t v_token, v_head;
  const float* out;   // [N, H, D], dense
  const float* lse;   // [N, H]
  const float* dout;  // [N, H, D]
  int64_t dout_token, dout_head;
  float* dq;  // [N, H, D] or null
  int64_t dq_token, dq_head;
  float* dk;  // [N, Hkv, D] or null
  int64_t dk_token, dk_head;
  float* dv;
  int64_t dv_token, dv_head;
  bool add_dq, add_dk, add_dv;  // add to what is there
  int64_t heads, kv_heads, dim;
  float scale;
};

// One (sequence, key-value head). All its rows and keys give all gradients. A range of rows and all keys give dq of
// these rows; all rows and a range of keys, from a multiple of 64 on, give dk and dv of these keys: the caller leaves
// the others null.
struct AttentionBackwardItem {
  int64_t token;  // its first row in N
  int64_t tokens;
  int64_t kv_head;
  int64_t row_begin, row_end;  // query rows, of tokens * group
  int64_t key_begin, key_end;
};

QUERN_FOR_EACH_ISA(
    // Writes keys and values of tokens [begin, end) to their places in the blocks.
    void AttentionStore(const AttentionArgs& args, const AttentionItem& item);
    // Query rows [begin, end) against all keys up to their positions.
    void Attend(const AttentionArgs& args, const AttentionItem& item, float* scratch);
    // The same in two steps, for items of at most kAttendTile rows: blocks [first, last) into AttendPartial floats
    // each, at `partials` for block 0; and, once all blocks are there, their merge. The same operations in the same
    // order. The reference has neither.
    void AttendSpan(const AttentionArgs& args, const AttentionItem& item, int64_t first, int64_t last, float* partials,
                    float* scratch);
    void AttendMerge(const AttentionArgs& args, const AttentionItem& item, const float* partials, float* scratch);
    void AttentionBackward(const AttentionBackwardArgs& args, const AttentionBackwardItem& item, float* scratch);)

}  // namespace quern

#endif  // QUERN_KERNELS_ATTENTION_ATTENTION_ARGS_H_
