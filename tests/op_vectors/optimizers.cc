#include <cmath>

#include "base/status_macros.h"
#include "kernels/adamw/adamw.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/op_vectors/adapters.h"

namespace quern::op_vectors {
namespace {

// Corrections of the moments are exactly 1 from here on, whatever the betas of a test: ONNX's step 0 has none.
constexpr int64_t kNoCorrection = int64_t{1} << 40;

absl::StatusOr<Tensor> Operand(const OpCase& op, size_t input, const Shape& shape) {
  ASSIGN_OR_RETURN(Tensor tensor, op.Floats(input));
  if (tensor.shape() != shape) return absl::InvalidArgumentError("operands of different shapes");
  return tensor.Clone();
}

}  // namespace

// R, T, then all X, all gradients, all first moments, all second moments. norm_coefficient is an L2 term of the
// gradient, not AdamW's decay of the weight. ONNX adds epsilon to sqrt(H), before the correction: ours divided by it is
// theirs.
Outputs Adam(const OpCase& op) {
  if (op.InputCount() < 6 || (op.InputCount() - 2) % 4 != 0)
    return absl::InvalidArgumentError("Adam takes 2 + 4 n inputs");
  const size_t count = (op.InputCount() - 2) / 4;
  if (op.Float("norm_coefficient_post", 0) != 0) return Skip("a decay after the step");
  ASSIGN_OR_RETURN(Tensor rate, op.Floats(0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> step, op.Ints(1));
  if (rate.elements() != 1 || step.size() != 1 || step[0] < 0) return absl::InvalidArgumentError("R and T are scalars");
  AdamWOptions options;
  options.learning_rate = rate.data<float>()[0];
  options.beta1 = op.Float("alpha", 0.9f);
  options.beta2 = op.Float("beta", 0.999f);
  if (!(options.beta1 >= 0 && options.beta1 < 1 && options.beta2 >= 0 && options.beta2 < 1)) {
    return Skip("alpha and beta are below 1");
  }
  options.weight_decay = 0;
  options.step = step[0] == 0 ? kNoCorrection : step[0];
  options.eps = static_cast<float>(op.Float("epsilon", 1e-6f) /
                                   std::sqrt(1 - std::pow(double{options.beta2}, static_cast<double>(options.step))));
  std::vector<Tensor> outputs(3 * count);
  for (size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(Tensor x, op.Floats(2 + i));
    x = x.Clone();
    ASSIGN_OR_RETURN(Tensor gradient, Operand(op, 2 + count + i, x.shape()));
    ASSIGN_OR_RETURN(Tensor m, Operand(op, 2 + 2 * count + i, x.shape()));
    ASSIGN_OR_RETURN(Tensor v, Operand(op, 2 + 3 * count + i, x.shape()));
    AddInto(gradient, Scale(x, op.Float("norm_coefficient", 0)));
    AdamW(options, x, x, m, v, gradient);
    outputs[i] = x, outputs[count + i] = m, outputs[2 * count + i] = v;
  }
  return outputs;
}

}  // namespace quern::op_vectors
