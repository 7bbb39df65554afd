// Matrix products in f32, and weights packed for them.
//
// The contract on bits: every output is ONE chain of fused multiply-adds over k in ascending order from zero; bias and
// activation come after the chain. Blocks, tiles, threads, packing and instruction sets change the speed and never a
// bit: the product of a row does not depend on the other rows, and a packed product equals the plain one.
#ifndef QUERN_KERNELS_MATMUL_MATMUL_H_
#define QUERN_KERNELS_MATMUL_MATMUL_H_

#include <cstdint>

#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

// Which operands are read transposed. Shapes are those of the operands in memory:
//   kNN: a [M,K], b [K,N]     kNT: a [M,K], b [N,K]     kTN: a [K,M], b [K,N]
enum class MatmulKind { kNN, kNT, kTN };

// c [M,N] = a b. f32; innermost axes contiguous, rows may be strided (slices of wider rows).
Tensor Matmul(MatmulKind kind, const Tensor& a, const Tensor& b);
// The same into a slot: c = a b, or c += a b (the chain is computed from zero and added once).
void MatmulTo(MatmulKind kind, const Tensor& a, const Tensor& b, Slot& c);

// How a weight lies in memory. Parameter layouts are those of the Hugging Face file; only packing transposes.
enum class WeightLayout {
  kOutIn,  // [N,K] = [out,in]: torch.nn.Linear
  kInOut,  // [K,N] = [in,out]: GPT-2's Conv1D
};

// A weight laid out in panels of columns, so that vectors run along N for any M. Not a tensor: it belongs to this room.
struct PackedMatrix {
  enum class Format { kF32Panels };
  Format format = Format::kF32Panels;
  int64_t n = 0, k = 0;  // out, in
  Tensor bytes;          // u8
  uint64_t version = 0;  // Tensor::version() of the weight when it was packed: stale when it differs
  bool defined() const { return bytes.defined(); }
};
PackedMatrix PackWeight(const Tensor& weight, WeightLayout layout);

// y [M,N] = x [M,K] W^T (+ bias [N], or undefined). x may have more axes: [..., K] gives [..., N]. addend: [M,N] like
// y, or undefined; then y = addend + (x W^T + bias), with the bits of the same by Add, without a way through memory.
Tensor Linear(const Tensor& x, const PackedMatrix& weight, const Tensor& bias, const Tensor& addend = Tensor());
// The same straight from the weight (packed on the way, in scratch).
Tensor Linear(const Tensor& x, const Tensor& weight, WeightLayout layout, const Tensor& bias,
              const Tensor& addend = Tensor());

// dx (+)= dy W; dweight (+)= the layout's product of dy and x; dbias (+)= the row sums of dy (SumRows' order).
void LinearBackward(const Tensor& dy, const Tensor& x, const Tensor& weight, WeightLayout layout, Slot& dx,
                    Slot& dweight, Slot& dbias);

}  // namespace quern

#endif  // QUERN_KERNELS_MATMUL_MATMUL_H_
