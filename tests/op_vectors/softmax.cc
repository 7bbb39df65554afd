#include "kernels/softmax/softmax.h"

#include "base/status_macros.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"

namespace quern::op_vectors {
namespace {

constexpr int64_t kOneAxisSince = 13;  // before, all axes from `axis` on were one

Outputs AlongAxis(const OpCase& op, Tensor (*kernel)(const Tensor&)) {
  ASSIGN_OR_RETURN(Tensor x, op.Floats(0));
  const bool one_axis = op.model().opset >= kOneAxisSince;
  ASSIGN_OR_RETURN(const int axis, AxisOf(op.Int("axis", one_axis ? -1 : 1), x.rank()));
  if (!one_axis) return std::vector<Tensor>{kernel(AsRows(x, axis)).Reshape(x.shape())};
  return std::vector<Tensor>{SwapWithLast(kernel(SwapWithLast(x, axis)), axis)};
}

}  // namespace

Outputs Softmax(const OpCase& op) { return AlongAxis(op, quern::Softmax); }
Outputs LogSoftmax(const OpCase& op) { return AlongAxis(op, quern::LogSoftmax); }

}  // namespace quern::op_vectors
