#include <algorithm>

#include "base/status_macros.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/matmul/matmul.h"
#include "kernels/reduce/reduce.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"

namespace quern::op_vectors {
namespace {

// The last `count` axes of a shape, or all but them.
Shape Last(const Shape& shape, int count) {
  return Shape(shape.dims().subspan(static_cast<size_t>(shape.rank() - count)));
}
Shape AllBut(const Shape& shape, int count) {
  return Shape(shape.dims().first(static_cast<size_t>(shape.rank() - count)));
}
Shape Joined(const Shape& a, const Shape& b) {
  std::vector<int64_t> dims(a.dims().begin(), a.dims().end());
  dims.insert(dims.end(), b.dims().begin(), b.dims().end());
  return Shape(dims);
}

// Stacks of matrices, as numpy.matmul has them: outer axes broadcast, vectors count as a row or a column.
absl::StatusOr<Tensor> Product(Tensor a, Tensor b) {
  if (a.rank() == 0 || b.rank() == 0) return absl::InvalidArgumentError("a product of scalars");
  const bool row = a.rank() == 1, column = b.rank() == 1;
  if (row) a = a.Reshape({1, a.dim(0)});
  if (column) b = b.Reshape({b.dim(0), 1});
  if (a.dim(-1) != b.dim(-2)) return absl::InvalidArgumentError("inner axes differ");
  ASSIGN_OR_RETURN(const Shape outer, BroadcastShape(AllBut(a.shape(), 2), AllBut(b.shape(), 2)));
  ASSIGN_OR_RETURN(a, BroadcastTo(a, Joined(outer, Last(a.shape(), 2))));
  ASSIGN_OR_RETURN(b, BroadcastTo(b, Joined(outer, Last(b.shape(), 2))));
  const int64_t count = outer.elements(), m = a.dim(-2), k = a.dim(-1), n = b.dim(-1);
  RETURN_IF_ERROR(CheckSize({count, m, n}));
  a = a.Reshape({count, m, k});
  b = b.Reshape({count, k, n});
  Tensor c = Tensor::Empty({count, m, n}, DType::kF32);
  for (int64_t i = 0; i < count; ++i) {
    Tensor to = c.Slice(0, i, i + 1).Reshape({m, n});
    to.CopyFrom(Matmul(MatmulKind::kNN, a.Slice(0, i, i + 1).Reshape({m, k}), b.Slice(0, i, i + 1).Reshape({k, n})));
  }
  std::vector<int64_t> inner;
  if (!row) inner.push_back(m);
  if (!column) inner.push_back(n);
  return c.Reshape(Joined(outer, Shape(inner)));
}

}  // namespace

Outputs MatMul(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor a, op.Floats(0));
  ASSIGN_OR_RETURN(Tensor b, op.Floats(1));
  ASSIGN_OR_RETURN(Tensor c, Product(a, b));
  return std::vector<Tensor>{c};
}

Outputs Gemm(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor a, op.Floats(0));
  ASSIGN_OR_RETURN(Tensor b, op.Floats(1));
  if (a.rank() != 2 || b.rank() != 2) return absl::InvalidArgumentError("a and b are matrices");
  const bool trans_a = op.Int("transA", 0) != 0, trans_b = op.Int("transB", 0) != 0;
  if (trans_a && trans_b) a = a.Transpose(0, 1).Contiguous();
  const MatmulKind kind = trans_b ? MatmulKind::kNT : trans_a ? MatmulKind::kTN : MatmulKind::kNN;
  if (a.dim(kind == MatmulKind::kTN ? 0 : 1) != b.dim(trans_b ? 1 : 0)) {
    return absl::InvalidArgumentError("inner axes differ");
  }
  RETURN_IF_ERROR(CheckSize({a.dim(kind == MatmulKind::kTN ? 1 : 0), b.dim(trans_b ? 0 : 1)}));
  Tensor y = Scale(Matmul(kind, a, b), op.Float("alpha", 1.0f));
  if (op.Has(2)) {
    ASSIGN_OR_RETURN(Tensor c, op.Floats(2));
    ASSIGN_OR_RETURN(c, BroadcastTo(c, y.shape()));
    y = quern::Add(y, Scale(c, op.Float("beta", 1.0f)));
  }
  return std::vector<Tensor>{y};
}

// The equations that are one of our operations.
Outputs Einsum(const OpCase& op) {
  std::string equation = op.String("equation", "");
  equation.erase(std::remove(equation.begin(), equation.end(), ' '), equation.end());
  if (equation == "ij,jk->ik" || equation == "bij,bjk->bik") return MatMul(op);
  if (equation == "ij->ji") {
    ASSIGN_OR_RETURN(Tensor x, op.Input(0));
    if (x.rank() != 2) return absl::InvalidArgumentError("ij is a matrix");
    return std::vector<Tensor>{Permuted(x, {1, 0})};
  }
  if (equation == "ij->i") {
    ASSIGN_OR_RETURN(Tensor x, op.Floats(0));
    if (x.rank() != 2) return absl::InvalidArgumentError("ij is a matrix");
    Slot sums(Tensor::Empty({x.dim(0)}, DType::kF32));
    SumRows(Permuted(x, {1, 0}), sums);
    return std::vector<Tensor>{sums.destination()};
  }
  return Skip("no general contraction; the equation is " + equation);
}

}  // namespace quern::op_vectors
