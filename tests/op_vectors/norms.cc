#include "base/status_macros.h"
#include "kernels/layer_norm/layer_norm.h"
#include "kernels/rms_norm/rms_norm.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"

namespace quern::op_vectors {
namespace {

// All axes from `axis` on are normalised together: the rows of our kernels.
struct Problem {
  Tensor x;             // [rows, cols]
  Tensor weight, bias;  // [cols]; no bias: undefined
  float eps;
  Shape shape, statistics;  // of y; of mean and rstd
};

absl::StatusOr<Problem> Read(const OpCase& op) {
  if (op.Int("stash_type", kOnnxFloat) != kOnnxFloat) return Skip("statistics are f32");
  Problem p;
  ASSIGN_OR_RETURN(Tensor x, op.Floats(0));
  ASSIGN_OR_RETURN(const int axis, AxisOf(op.Int("axis", -1), x.rank()));
  p.shape = x.shape();
  p.x = AsRows(x, axis);
  const Shape normalised(p.shape.dims().subspan(static_cast<size_t>(axis)));
  ASSIGN_OR_RETURN(Tensor weight, op.Floats(1));
  ASSIGN_OR_RETURN(weight, BroadcastTo(weight, normalised));
  p.weight = weight.Reshape({p.x.dim(1)});
  if (op.Has(2)) {
    ASSIGN_OR_RETURN(Tensor bias, op.Floats(2));
    ASSIGN_OR_RETURN(bias, BroadcastTo(bias, normalised));
    p.bias = bias.Reshape({p.x.dim(1)});
  }
  p.eps = op.Float("epsilon", 1e-5f);
  if (!(p.eps >= 0)) return absl::InvalidArgumentError("epsilon is negative");
  p.statistics = p.shape;
  for (int i = axis; i < p.shape.rank(); ++i) p.statistics = p.statistics.With(i, 1);
  return p;
}

}  // namespace

Outputs LayerNormalization(const OpCase& op) {
  ASSIGN_OR_RETURN(const Problem p, Read(op));
  const LayerNormResult r = LayerNorm(p.x, p.weight, p.bias, p.eps);
  return std::vector<Tensor>{r.y.Reshape(p.shape), r.mean.Reshape(p.statistics), r.rstd.Reshape(p.statistics)};
}

Outputs RmsNormalization(const OpCase& op) {
  ASSIGN_OR_RETURN(const Problem p, Read(op));
  return std::vector<Tensor>{RmsNorm(p.x, p.weight, p.eps).y.Reshape(p.shape)};
}

}  // namespace quern::op_vectors
