#include "tests/op_vectors/axes.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace quern {
namespace {

absl::Status DoNotBroadcast(const Shape& a, const Shape& b) {
  return absl::InvalidArgumentError(absl::StrCat("shapes ", ToString(a), " and ", ToString(b), " do not go together"));
}

}  // namespace

absl::Status CheckSize(const std::vector<int64_t>& dims) {
  constexpr int64_t kMost = int64_t{1} << 26;
  int64_t elements = 1;
  for (int64_t dim : dims) {
    if (dim > 0 && elements > kMost / dim) return absl::UnimplementedError("a result of more than 2^26 elements");
    elements *= dim;
  }
  return absl::OkStatus();
}

absl::StatusOr<int> AxisOf(int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) return absl::InvalidArgumentError(absl::StrCat("axis ", axis, " of ", rank));
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Tensor SwapWithLast(const Tensor& x, int axis) { return x.Transpose(axis, x.rank() - 1).Contiguous(); }

Tensor Permuted(const Tensor& x, const std::vector<int>& order) {
  Tensor y = x;
  std::vector<int> is(order.size());
  for (size_t i = 0; i < is.size(); ++i) is[i] = static_cast<int>(i);
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t from = static_cast<size_t>(std::find(is.begin(), is.end(), order[i]) - is.begin());
    y = y.Transpose(static_cast<int>(i), static_cast<int>(from));
    std::swap(is[i], is[from]);
  }
  return y.Contiguous();
}

Tensor AsRows(const Tensor& x, int axis) {
  int64_t rows = 1;
  for (int i = 0; i < axis; ++i) rows *= x.dim(i);
  return x.Contiguous().Reshape({rows, x.elements() / std::max<int64_t>(rows, 1)});
}

absl::StatusOr<Shape> BroadcastShape(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<int64_t> dims(static_cast<size_t>(rank));
  for (int i = 1; i <= rank; ++i) {
    const int64_t x = i <= a.rank() ? a.dim(-i) : 1, y = i <= b.rank() ? b.dim(-i) : 1;
    if (x != y && x != 1 && y != 1) return DoNotBroadcast(a, b);
    dims[static_cast<size_t>(rank - i)] = x == 1 ? y : x;
  }
  RETURN_IF_ERROR(CheckSize(dims));
  return Shape(dims);
}

absl::StatusOr<Tensor> BroadcastTo(const Tensor& x, const Shape& shape) {
  if (x.rank() > shape.rank()) return DoNotBroadcast(x.shape(), shape);
  std::vector<int64_t> strides(static_cast<size_t>(shape.rank()), 0);  // of x, 0 along repeated axes
  for (int i = 1; i <= x.rank(); ++i) {
    if (x.dim(-i) != shape.dim(-i) && x.dim(-i) != 1) return DoNotBroadcast(x.shape(), shape);
    if (x.dim(-i) != 1) strides[static_cast<size_t>(shape.rank() - i)] = x.stride(-i);
  }
  RETURN_IF_ERROR(CheckSize({shape.dims().begin(), shape.dims().end()}));
  Tensor y = Tensor::Empty(shape, DType::kF32);
  const float* from = x.data<float>();
  float* to = y.mutable_data<float>();
  for (int64_t n = 0; n < y.elements(); ++n) {
    int64_t at = 0, rest = n;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      at += rest % shape.dim(i) * strides[static_cast<size_t>(i)];
      rest /= shape.dim(i);
    }
    to[n] = from[at];
  }
  return y;
}

}  // namespace quern
