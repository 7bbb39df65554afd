#include <algorithm>

#include "base/status_macros.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/embedding/embedding.h"
#include "tensor/io/file_dtype.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"

namespace quern::op_vectors {
namespace {

// Rounded to float16 by the writer of model files, and widened again so that values can be compared.
Tensor ThroughHalf(const Tensor& x) {
  std::vector<float> values = x.ToVector<float>();
  for (float& value : values) value = HalfToFloat(FloatToHalf(value));
  return Tensor::Of(values, x.shape());
}

Tensor Ids(const std::vector<int32_t>& ids) { return Tensor::Of(ids, {static_cast<int64_t>(ids.size())}); }

// Indices count from the end where they are negative.
absl::StatusOr<std::vector<int64_t>> Indices(const OpCase& op, size_t input, int64_t size) {
  ASSIGN_OR_RETURN(std::vector<int64_t> indices, op.Ints(input));
  for (int64_t& index : indices) {
    if (index < -size || index >= size) return absl::InvalidArgumentError("an index outside the axis");
    if (index < 0) index += size;
  }
  return indices;
}

// Where, among the elements of `data`, the elements are that indices[..] along `axis` name: the element of the same
// place, but for that axis.
absl::StatusOr<Tensor> ElementIds(const OpCase& op, const Shape& data, const Shape& shape, int axis) {
  if (shape.rank() != data.rank()) return absl::InvalidArgumentError("indices have the axes of the data");
  ASSIGN_OR_RETURN(const std::vector<int64_t> indices, Indices(op, 1, data.dim(axis)));
  std::vector<int32_t> ids;
  for (int64_t n = 0; n < shape.elements(); ++n) {
    int64_t id = 0, rest = n, stride = 1;
    for (int i = shape.rank() - 1; i >= 0; --i) {
      const int64_t at = i == axis ? indices[static_cast<size_t>(n)] : rest % shape.dim(i);
      if (at >= data.dim(i)) return absl::InvalidArgumentError("indices beyond the data");
      id += at * stride;
      stride *= data.dim(i);
      rest /= shape.dim(i);
    }
    ids.push_back(static_cast<int32_t>(id));
  }
  return Ids(ids);
}

}  // namespace

Outputs Cast(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor x, op.Input(0));
  const int from = op.InputType(0), to = static_cast<int>(op.Int("to", kOnnxNone));
  if (from == kOnnxFloat && to == kOnnxBfloat16) return std::vector<Tensor>{quern::Cast(x, DType::kBF16)};
  if (from == kOnnxBfloat16 && to == kOnnxFloat) return std::vector<Tensor>{quern::Cast(x, DType::kF32)};
  if (from == kOnnxFloat && to == kOnnxFloat16) return std::vector<Tensor>{ThroughHalf(x)};
  // Widened as it was read; every f32 is an f64.
  if (from == kOnnxFloat16 && (to == kOnnxFloat || to == kOnnxDouble)) return std::vector<Tensor>{x};
  return Skip("casts are float to float16 or bfloat16 and back; got " + OnnxTypeName(from) + " to " + OnnxTypeName(to));
}

// Rows of a table: the axis that is indexed comes first, the others are its columns.
Outputs Gather(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor data, op.Floats(0));
  ASSIGN_OR_RETURN(const int axis, AxisOf(op.Int("axis", 0), data.rank()));
  ASSIGN_OR_RETURN(const std::vector<int64_t> indices, Indices(op, 1, data.dim(axis)));
  ASSIGN_OR_RETURN(const Shape index_shape, op.InputShape(1));
  if (data.rank() - 1 + index_shape.rank() > kMaxRank) return Skip("more than six axes");
  std::vector<int> order = {axis};
  for (int i = 0; i < data.rank(); ++i) {
    if (i != axis) order.push_back(i);
  }
  RETURN_IF_ERROR(CheckSize({index_shape.elements(), data.elements() / data.dim(axis)}));
  const Tensor table = AsRows(Permuted(data, order), 1);
  const Tensor rows = Embedding(table, Ids(std::vector<int32_t>(indices.begin(), indices.end())));
  // [indices.., before axis.., after axis..], and then as ONNX has it: before axis, indices, after axis.
  std::vector<int64_t> dims(index_shape.dims().begin(), index_shape.dims().end());
  for (size_t i = 1; i < order.size(); ++i) dims.push_back(data.dim(order[i]));
  const int indexed = index_shape.rank();
  std::vector<int> back;
  for (int i = 0; i < axis; ++i) back.push_back(indexed + i);
  for (int i = 0; i < indexed; ++i) back.push_back(i);
  for (int i = axis; i + 1 < data.rank(); ++i) back.push_back(indexed + i);
  return std::vector<Tensor>{Permuted(rows.Reshape(Shape(dims)), back)};
}

Outputs GatherElements(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor data, op.Floats(0));
  ASSIGN_OR_RETURN(const int axis, AxisOf(op.Int("axis", 0), data.rank()));
  ASSIGN_OR_RETURN(const Shape shape, op.InputShape(1));
  ASSIGN_OR_RETURN(const Tensor ids, ElementIds(op, data.shape(), shape, axis));
  return std::vector<Tensor>{Embedding(data.Reshape({-1, 1}), ids).Reshape(shape)};
}

// What the gradient of a look-up does: rows are added to a table, in order, however often an id comes.
Outputs ScatterElements(const OpCase& op) {
  const std::string reduction = op.String("reduction", "none");
  if (reduction != "add") return Skip("scatters add (EmbeddingBackward); got reduction " + reduction);
  ASSIGN_OR_RETURN(Tensor data, op.Floats(0));
  ASSIGN_OR_RETURN(Tensor updates, op.Floats(2));
  ASSIGN_OR_RETURN(const int axis, AxisOf(op.Int("axis", 0), data.rank()));
  ASSIGN_OR_RETURN(const Shape shape, op.InputShape(1));
  if (updates.shape() != shape) return absl::InvalidArgumentError("an index for each update");
  ASSIGN_OR_RETURN(const Tensor ids, ElementIds(op, data.shape(), shape, axis));
  Slot sum(data.Clone().Reshape({-1, 1}), /*accumulate=*/true);
  EmbeddingBackward(updates.Reshape({-1, 1}), ids, sum);
  return std::vector<Tensor>{sum.destination().Reshape(data.shape())};
}

Outputs Transpose(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor x, op.Input(0));
  std::vector<int> order;
  for (int i = x.rank() - 1; i >= 0; --i) order.push_back(i);
  if (op.HasAttribute("perm")) {
    const std::vector<int64_t> perm = op.IntList("perm");
    order.assign(perm.begin(), perm.end());
  }
  std::vector<int> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  for (int i = 0; i < x.rank(); ++i) {
    if (sorted.size() != static_cast<size_t>(x.rank()) || sorted[static_cast<size_t>(i)] != i) {
      return absl::InvalidArgumentError("perm is no order of the axes");
    }
  }
  return std::vector<Tensor>{Permuted(x, order)};
}

}  // namespace quern::op_vectors
