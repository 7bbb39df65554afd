// Elementwise maths on contiguous f32 tensors of equal shape (broadcasting is the tape's matter, see
// autograd/functions.h).
#ifndef QUERN_KERNELS_ELEMENTWISE_ELEMENTWISE_H_
#define QUERN_KERNELS_ELEMENTWISE_ELEMENTWISE_H_

#include <cstdint>

#include "base/rng.h"
#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

Tensor Add(const Tensor& a, const Tensor& b);
// a: [..., C], b: [C], added to every row.
Tensor AddRow(const Tensor& a, const Tensor& row);
Tensor Mul(const Tensor& a, const Tensor& b);
Tensor Scale(const Tensor& x, float factor);
// destination += source.
void AddInto(Tensor& destination, const Tensor& source);
void Fill(Tensor& destination, float value);
// slot (+)= a * b elementwise, and slot (+)= x * factor: what the gradients of Mul and Scale need.
void MulTo(const Tensor& a, const Tensor& b, Slot& out);
void ScaleTo(const Tensor& x, float factor, Slot& out);

// Gaussian error linear unit (Hendrycks and Gimpel, 2016): x * Phi(x) by erf, or its tanh approximation
// 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))), which GPT-2 calls gelu_new.
enum class GeluKind { kErf, kTanh };
Tensor Gelu(const Tensor& x, GeluKind kind);
// y is Gelu(x, kind): with it the derivative of kErf costs half.
void GeluBackward(const Tensor& dy, const Tensor& x, const Tensor& y, GeluKind kind, Slot& dx);

Tensor Tanh(const Tensor& x);
// 1 / (1 + exp(-x)).
Tensor Sigmoid(const Tensor& x);
// The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
Tensor Erf(const Tensor& x);

// x * sigmoid(x).
Tensor Silu(const Tensor& x);
void SiluBackward(const Tensor& dy, const Tensor& x, Slot& dx);

// Silu(gate) * up (Shazeer, "GLU Variants Improve Transformer", 2020).
Tensor SwiGlu(const Tensor& gate, const Tensor& up);
void SwiGluBackward(const Tensor& dy, const Tensor& gate, const Tensor& up, Slot& dgate, Slot& dup);

// f32 <-> bf16 (to nearest even), and copies where the dtypes are equal.
Tensor Cast(const Tensor& x, DType dtype);

// Inverted dropout: each element is kept with probability 1 - p and divided by it. Whether element i is kept depends on
// (key, step, micro_batch, first_element + i) alone (base/rng.h), so the backward pass draws the same mask again.
struct DropoutDraw {
  RngKey key;
  uint32_t step = 0, micro_batch = 0;
  uint64_t first_element = 0;  // a multiple of 4
};
Tensor Dropout(const Tensor& x, float p, const DropoutDraw& draw);
void DropoutBackward(const Tensor& dy, float p, const DropoutDraw& draw, Slot& dx);

}  // namespace quern

#endif  // QUERN_KERNELS_ELEMENTWISE_ELEMENTWISE_H_
