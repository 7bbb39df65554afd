#include "kernels/reduce/reduce.h"

#include <algorithm>

#include "base/status_macros.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/embedding/embedding.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"

namespace quern::op_vectors {
namespace {

struct Problem {
  Tensor rows;   // [kept, reduced]
  Shape result;  // what the results' shape is to be
};

absl::StatusOr<std::vector<int64_t>> ReducedAxes(const OpCase& op) {
  // Before opset 13 or 18, by operator, axes were an attribute.
  if (!op.Has(1)) return op.IntList("axes");
  return op.Ints(1);
}

absl::StatusOr<Problem> Rows(const Tensor& x, const std::vector<int64_t>& axes, bool keepdims) {
  std::vector<bool> reduced(static_cast<size_t>(x.rank()), axes.empty());
  for (int64_t given : axes) {
    ASSIGN_OR_RETURN(const int axis, AxisOf(given, x.rank()));
    reduced[static_cast<size_t>(axis)] = true;
  }
  std::vector<int> order;
  std::vector<int64_t> dims;
  for (int i = 0; i < x.rank(); ++i) {
    if (!reduced[static_cast<size_t>(i)]) order.push_back(i);
    if (!reduced[static_cast<size_t>(i)] || keepdims) dims.push_back(reduced[static_cast<size_t>(i)] ? 1 : x.dim(i));
  }
  const int kept = static_cast<int>(order.size());
  for (int i = 0; i < x.rank(); ++i) {
    if (reduced[static_cast<size_t>(i)]) order.push_back(i);
  }
  return Problem{AsRows(Permuted(x, order), kept), Shape(dims)};
}

absl::StatusOr<Problem> Read(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor x, op.Floats(0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> axes, ReducedAxes(op));
  if (axes.empty() && op.Int("noop_with_empty_axes", 0) != 0) return Skip("nothing is reduced");
  return Rows(x, axes, op.Int("keepdims", 1) != 0);
}

Tensor RowSums(const Tensor& rows) {
  Slot sums(Tensor::Empty({rows.dim(0)}, DType::kF32));
  SumRows(Permuted(rows, {1, 0}), sums);
  return sums.destination();
}

// x[n, ids[n]].
Tensor Picked(const Tensor& rows, std::vector<int32_t> ids) {
  for (size_t n = 0; n < ids.size(); ++n) ids[n] += static_cast<int32_t>(static_cast<int64_t>(n) * rows.dim(1));
  return Embedding(rows.Reshape({-1, 1}), Tensor::Of(ids, {rows.dim(0)})).Reshape({rows.dim(0)});
}

}  // namespace

Outputs ArgMax(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor x, op.Floats(0));
  ASSIGN_OR_RETURN(Problem p, Rows(x, {op.Int("axis", 0)}, op.Int("keepdims", 1) != 0));
  const int64_t cols = p.rows.dim(1);
  const bool last = op.Int("select_last_index", 0) != 0;
  if (last) {
    // The last of equals is the first of the row read backwards.
    float* values = p.rows.mutable_data<float>();
    for (int64_t n = 0; n < p.rows.dim(0); ++n) std::reverse(values + n * cols, values + (n + 1) * cols);
  }
  std::vector<int32_t> index = ArgMaxRows(p.rows);
  for (int32_t& i : index) i = last ? static_cast<int32_t>(cols) - 1 - i : i;
  return std::vector<Tensor>{Tensor::Of(index, p.result)};
}

Outputs ReduceSum(const OpCase& op) {
  ASSIGN_OR_RETURN(const Problem p, Read(op));
  return std::vector<Tensor>{RowSums(p.rows).Reshape(p.result)};
}

Outputs ReduceMean(const OpCase& op) {
  ASSIGN_OR_RETURN(const Problem p, Read(op));
  return std::vector<Tensor>{Scale(RowSums(p.rows), 1.0f / static_cast<float>(p.rows.dim(1))).Reshape(p.result)};
}

Outputs ReduceMax(const OpCase& op) {
  ASSIGN_OR_RETURN(const Problem p, Read(op));
  return std::vector<Tensor>{Picked(p.rows, ArgMaxRows(p.rows)).Reshape(p.result)};
}

// Cross-entropy is logsumexp(x) - x[target].
Outputs ReduceLogSumExp(const OpCase& op) {
  ASSIGN_OR_RETURN(const Problem p, Read(op));
  const std::vector<int32_t> targets = ArgMaxRows(p.rows);
  const Tensor losses = CrossEntropy(p.rows, Tensor::Of(targets, {p.rows.dim(0)}));
  return std::vector<Tensor>{quern::Add(losses, Picked(p.rows, targets)).Reshape(p.result)};
}

}  // namespace quern::op_vectors
