#include "kernels/matmul/matmul_benchmark_eigen.h"

// A namespace of its own per instruction set: the linker would keep one copy of Eigen's templates for all of them.
#define QUERN_JOIN_(a, b) a##b
#define QUERN_JOIN(a, b) QUERN_JOIN_(a, b)
#define Eigen QUERN_JOIN(Eigen_, QUERN_ISA)
#define EIGEN_DONT_PARALLELIZE
#include <eigen3/Eigen/Core>

namespace quern {
namespace QUERN_ISA {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using In = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;
using Out = Eigen::Map<Matrix, 0, Eigen::OuterStride<>>;

In View(const float* p, int64_t rows, int64_t columns, int64_t stride) {
  return In(p, rows, columns, Eigen::OuterStride<>(stride));
}

template <typename Product>
void Assign(bool add, const Product& product, Out& c) {
  if (add) {
    c.noalias() += product;
  } else {
    c.noalias() = product;
  }
}

}  // namespace

void EigenTile(const MatmulArgs& args, const MatmulPart& part) {
  const int64_t rows = part.row_end - part.row_begin, columns = part.column_end - part.column_begin, k = args.k;
  const float* a = args.a + part.row_begin * args.a_row;
  const float* b = args.b + part.column_begin * args.b_column;
  Out c(args.c + part.row_begin * args.c_row + part.column_begin, rows, columns, Eigen::OuterStride<>(args.c_row));
  const bool add = args.addend != nullptr;  // then it is c
  if (args.a_k != 1) {
    Assign(add, View(a, k, rows, args.a_k).transpose() * View(b, k, columns, args.b_k), c);
  } else if (args.b_column != 1) {
    Assign(add, View(a, rows, k, args.a_row) * View(b, columns, k, args.b_column).transpose(), c);
  } else {
    Assign(add, View(a, rows, k, args.a_row) * View(b, k, columns, args.b_k), c);
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
