// Differentiable operations: the kernels' functions on Vars, each with its gradient beside its forward (functions.cc).
// Shapes, formulas and sources stand in the kernel rooms' headers.
#ifndef QUERN_AUTOGRAD_FUNCTIONS_H_
#define QUERN_AUTOGRAD_FUNCTIONS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "autograd/var.h"
#include "kernels/attention/attention.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/matmul/matmul.h"
#include "kernels/rope/rope.h"

namespace quern {

// Equal shapes, or b the shape of a's innermost axes (broadcast over the rest; its gradient is summed over the rows).
Var Add(const Var& a, const Var& b);
Var Mul(const Var& a, const Var& b);
Var Scale(const Var& x, float factor);

// y = residual + (x W^T + bias). `packed` may be null or stale, then the weight is used as it lies. bias and residual
// may be undefined.
Var Linear(const Var& x, const Var& weight, WeightLayout layout, const Var& bias, const PackedMatrix* packed = nullptr,
           const Var& residual = Var());
Var Matmul(MatmulKind kind, const Var& a, const Var& b);

Var Embedding(const Var& table, const Tensor& ids);

Var RmsNorm(const Var& x, const Var& weight, float eps);
Var LayerNorm(const Var& x, const Var& weight, const Var& bias, float eps);

Var Gelu(const Var& x, GeluKind kind);
Var Silu(const Var& x);
Var SwiGlu(const Var& gate, const Var& up);
Var Dropout(const Var& x, float p, const DropoutDraw& draw);

Var Softmax(const Var& x);
Var LogSoftmax(const Var& x);

// x: [N, H, D]; positions one per row.
Var Rope(const Var& x, std::vector<int32_t> positions, const RopeTable& table, RopePairing pairing);

// q: [N, H, D]; k, v: [N, Hkv, D]. `layout`'s spans are copied; without a cache.
Var Attention(const Var& q, const Var& k, const Var& v, const AttentionLayout& layout, float scale);

// Views; no bytes are copied in the forward pass.
Var Reshape(const Var& x, const Shape& shape);
// Columns [begin, end) of the innermost axis: q, k, v out of a QKV row. Gradients of several slices of one Var are
// written into one buffer, side by side.
Var SliceColumns(const Var& x, int64_t begin, int64_t end);
// The given rows of [N, C], ascending.
Var SelectRows(const Var& x, std::vector<int32_t> rows);

Var Sum(const Var& x);
Var Mean(const Var& x);

// Summed cross-entropy times `scale`, a scalar: scale = 1 / (number of counted targets of the whole global batch) makes
// the loss a mean over tokens, whatever the micro-batching. Where a gradient is wanted, the logits' memory is
// overwritten by their gradient in the forward pass, if nobody else holds it.
Var CrossEntropy(const Var& logits, const Tensor& targets, float scale);

}  // namespace quern

#endif  // QUERN_AUTOGRAD_FUNCTIONS_H_
