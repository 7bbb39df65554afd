// Parameters before they have memory. Models are built of skeletons: names and shapes that can be visited, counted and
// checked against a file before a byte is allocated. MakeModel then allocates and initialises; LoadModel puts the
// file's tensors in.
#ifndef QUERN_NN_PARAMETER_H_
#define QUERN_NN_PARAMETER_H_

#include <utility>

#include "autograd/var.h"
#include "tensor/tensor.h"

namespace quern::nn {

// f32. Its value has a shape and no bytes behind it: assign mutable_value() before use.
inline Var SkeletonParameter(const Shape& shape) {
  Storage nothing = Storage::Wrap(nullptr, shape.elements() * SizeOf(DType::kF32), nullptr, /*read_only=*/true);
  return Var::Parameter(Tensor::View(std::move(nothing), 0, shape, DType::kF32));
}

}  // namespace quern::nn

#endif  // QUERN_NN_PARAMETER_H_
