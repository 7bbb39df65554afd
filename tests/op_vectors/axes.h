// Between ONNX's layouts and ours, without arithmetic: kernels work along the innermost axis of contiguous tensors.
#ifndef QUERN_TESTS_OP_VECTORS_AXES_H_
#define QUERN_TESTS_OP_VECTORS_AXES_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "tensor/tensor.h"

namespace quern {

// Unimplemented where a tensor of these sizes has more than 2^26 elements: a small file may ask for a large result.
absl::Status CheckSize(const std::vector<int64_t>& dims);

// `axis` counted from the first; InvalidArgument where there is no such axis.
absl::StatusOr<int> AxisOf(int64_t axis, int rank);

// A contiguous copy with `axis` and the innermost axis exchanged; the same again puts them back.
Tensor SwapWithLast(const Tensor& x, int axis);

// A contiguous copy whose axis i is axis order[i] of x.
Tensor Permuted(const Tensor& x, const std::vector<int>& order);

// Axes [0, axis) and [axis, rank) joined: [rows, cols].
Tensor AsRows(const Tensor& x, int axis);

// f32, repeated along axes of one element, and along missing outer axes, until it has `shape`. InvalidArgument where it
// cannot.
absl::StatusOr<Tensor> BroadcastTo(const Tensor& x, const Shape& shape);
// The shape that both broadcast to.
absl::StatusOr<Shape> BroadcastShape(const Shape& a, const Shape& b);

}  // namespace quern

#endif  // QUERN_TESTS_OP_VECTORS_AXES_H_
