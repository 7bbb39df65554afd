// Rotary position embedding (Su et al., "RoFormer", 2021).
//
// Pair i of a head's D channels is turned by the angle position * theta^(-2i/D) (scaled as the model says):
//   (a, b) -> (a cos - b sin, b cos + a sin)
#ifndef QUERN_KERNELS_ROPE_ROPE_H_
#define QUERN_KERNELS_ROPE_ROPE_H_

#include <cstdint>
#include <span>
#include <vector>

#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

// Which two channels form pair i.
enum class RopePairing {
  kHalves,       // (i, i + D/2): GPT-NeoX, Hugging Face's Llama
  kInterleaved,  // (2i, 2i + 1): the paper, Meta's Llama, llama2.c
};

struct RopeTable {
  Tensor cos, sin;  // f32 [positions, D/2], computed in f64 and rounded once
};

// `inverse_frequencies` [D/2], in f64: theta^(-2i/D), after any scaling (the model's config decides that, see nn/).
RopeTable MakeRopeTable(int64_t positions, const std::vector<double>& inverse_frequencies,
                        double attention_factor = 1.0);

// x: f32 [N, H, D], contiguous in D (rows may be slices of a wider QKV row); positions: one per row, each below the
// table's. Returns contiguous f32 [N, H, D].
Tensor Rope(const Tensor& x, std::span<const int32_t> positions, const RopeTable& table, RopePairing pairing);

// The gradient turns the other way.
void RopeBackward(const Tensor& dy, std::span<const int32_t> positions, const RopeTable& table, RopePairing pairing,
                  Slot& dx);

}  // namespace quern

#endif  // QUERN_KERNELS_ROPE_ROPE_H_
