#include "kernels/elementwise/elementwise.h"

#include "base/status_macros.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"

namespace quern::op_vectors {
namespace {

Outputs Map(const OpCase& op, Tensor (*kernel)(const Tensor&)) {
  ASSIGN_OR_RETURN(Tensor x, op.Floats(0));
  return std::vector<Tensor>{kernel(x)};
}

Outputs MapTwo(const OpCase& op, Tensor (*kernel)(const Tensor&, const Tensor&)) {
  ASSIGN_OR_RETURN(Tensor a, op.Floats(0));
  ASSIGN_OR_RETURN(Tensor b, op.Floats(1));
  ASSIGN_OR_RETURN(const Shape shape, BroadcastShape(a.shape(), b.shape()));
  ASSIGN_OR_RETURN(a, BroadcastTo(a, shape));
  ASSIGN_OR_RETURN(b, BroadcastTo(b, shape));
  return std::vector<Tensor>{kernel(a, b)};
}

}  // namespace

Outputs Add(const OpCase& op) { return MapTwo(op, quern::Add); }
Outputs Mul(const OpCase& op) { return MapTwo(op, quern::Mul); }
Outputs SwiGlu(const OpCase& op) { return MapTwo(op, quern::SwiGlu); }
Outputs Tanh(const OpCase& op) { return Map(op, quern::Tanh); }
Outputs Sigmoid(const OpCase& op) { return Map(op, quern::Sigmoid); }
Outputs Erf(const OpCase& op) { return Map(op, quern::Erf); }

Outputs Gelu(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor x, op.Floats(0));
  const std::string approximate = op.String("approximate", "none");
  if (approximate != "none" && approximate != "tanh") return Skip("approximate " + approximate);
  return std::vector<Tensor>{quern::Gelu(x, approximate == "tanh" ? GeluKind::kTanh : GeluKind::kErf)};
}

// x sigmoid(alpha x) = silu(alpha x) / alpha.
Outputs Swish(const OpCase& op) {
  ASSIGN_OR_RETURN(Tensor x, op.Floats(0));
  const float alpha = op.Float("alpha", 1.0f);
  if (alpha == 0) return Skip("alpha 0");
  return std::vector<Tensor>{Scale(Silu(Scale(x, alpha)), 1.0f / alpha)};
}

}  // namespace quern::op_vectors
