#include <limits>

#include "base/status_macros.h"
#include "kernels/cross_entropy/cross_entropy.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/embedding/embedding.h"
#include "kernels/reduce/reduce.h"
#include "kernels/softmax/softmax.h"
#include "tests/op_vectors/adapters.h"
#include "tests/op_vectors/axes.h"

namespace quern::op_vectors {
namespace {

// Classes are axis 1 of [N, C, d1, ..]; ours are the innermost.
struct Problem {
  Tensor scores;   // [positions, C]
  Tensor targets;  // i32 [positions], kIgnoreTarget where ignored
  std::vector<int> to_last, to_second;
  Shape shape, moved;  // of the scores, of scores with the classes last
};

absl::StatusOr<Problem> Read(const OpCase& op) {
  Problem p;
  ASSIGN_OR_RETURN(Tensor scores, op.Floats(0));
  ASSIGN_OR_RETURN(const std::vector<int64_t> targets, op.Ints(1));
  p.shape = scores.shape();
  if (p.shape.rank() < 2) return absl::InvalidArgumentError("scores are [N, C, ..]");
  const int64_t classes = p.shape.dim(1);
  if (static_cast<int64_t>(targets.size()) != scores.elements() / classes) {
    return absl::InvalidArgumentError("a target for each position");
  }
  p.to_last = {0};
  p.to_second = {0, p.shape.rank() - 1};
  for (int i = 2; i < p.shape.rank(); ++i) p.to_last.push_back(i), p.to_second.push_back(i - 1);
  p.to_last.push_back(1);
  const Tensor moved = Permuted(scores, p.to_last);
  p.moved = moved.shape();
  p.scores = moved.Reshape({-1, classes});
  // Out of every range where nothing is ignored.
  const int64_t ignored = op.Int("ignore_index", std::numeric_limits<int64_t>::min());
  std::vector<int32_t> ids;
  for (int64_t target : targets) {
    if (target != ignored && (target < 0 || target >= classes)) {
      return absl::InvalidArgumentError("a target that is no class");
    }
    ids.push_back(target == ignored ? kIgnoreTarget : static_cast<int32_t>(target));
  }
  p.targets = Tensor::Of(ids, {static_cast<int64_t>(ids.size())});
  return p;
}

// Weight of each position: that of its class, 0 where it is ignored.
absl::StatusOr<Tensor> PositionWeights(const OpCase& op, const Problem& p) {
  const int64_t classes = p.scores.dim(1);
  Tensor table = Tensor::Zeros({classes + 1, 1}, DType::kF32), of_classes = table.Slice(0, 0, classes);
  Fill(of_classes, 1.0f);
  if (op.Has(2)) {
    ASSIGN_OR_RETURN(Tensor weights, op.Floats(2));
    if (weights.shape() != Shape({classes})) return absl::InvalidArgumentError("a weight for each class");
    of_classes.CopyFrom(weights.Reshape({classes, 1}));
  }
  std::vector<int32_t> ids = p.targets.ToVector<int32_t>();
  for (int32_t& id : ids) id = id == kIgnoreTarget ? static_cast<int32_t>(classes) : id;
  return Embedding(table, Tensor::Of(ids, p.targets.shape())).Reshape(p.targets.shape());
}

Outputs Reduced(const OpCase& op, const Problem& p, const Tensor& losses) {
  ASSIGN_OR_RETURN(const Tensor weights, PositionWeights(op, p));
  const Tensor weighted = Mul(losses, weights);
  const std::string reduction = op.String("reduction", "mean");
  if (reduction == "none") {
    return std::vector<Tensor>{weighted.Reshape(Shape(p.moved.dims().first(static_cast<size_t>(p.moved.rank() - 1))))};
  }
  const double sum = Sum(weighted), total = reduction == "mean" ? Sum(weights) : 1;
  if (reduction != "mean" && reduction != "sum") return Skip("reduction " + reduction);
  return std::vector<Tensor>{Tensor::Of({static_cast<float>(sum / total)}, {})};
}

}  // namespace

Outputs SoftmaxCrossEntropyLoss(const OpCase& op) {
  ASSIGN_OR_RETURN(const Problem p, Read(op));
  ASSIGN_OR_RETURN(std::vector<Tensor> outputs, Reduced(op, p, CrossEntropy(p.scores, p.targets)));
  outputs.push_back(Permuted(quern::LogSoftmax(p.scores).Reshape(p.moved), p.to_second));
  return outputs;
}

// Scores are log-probabilities, of any sum: the loss is minus the target's, looked up.
Outputs NegativeLogLikelihoodLoss(const OpCase& op) {
  ASSIGN_OR_RETURN(const Problem p, Read(op));
  const int64_t classes = p.scores.dim(1);
  std::vector<int32_t> ids = p.targets.ToVector<int32_t>();
  for (size_t n = 0; n < ids.size(); ++n) {
    ids[n] = static_cast<int32_t>(static_cast<int64_t>(n) * classes) + (ids[n] == kIgnoreTarget ? 0 : ids[n]);
  }
  const Tensor picked = Embedding(p.scores.Reshape({-1, 1}), Tensor::Of(ids, p.targets.shape()));
  return Reduced(op, p, Scale(picked.Reshape(p.targets.shape()), -1.0f));
}

}  // namespace quern::op_vectors
