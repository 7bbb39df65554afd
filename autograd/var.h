// Var: a Tensor and its place on the tape. Reverse-mode differentiation in one small engine.
//
//   Var w = Var::Parameter(tensor);
//   Var loss = CrossEntropy(Linear(x, w, ...), targets);
//   Backward(loss);                       // fills w.grad()
//
// An operation computes its result, then calls Record with a closure that, given dy, writes into one Slot per input.
// What a step keeps alive is what those closures capture: memory is readable at the operation. No double backward.
#ifndef QUERN_AUTOGRAD_VAR_H_
#define QUERN_AUTOGRAD_VAR_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "tensor/slot.h"
#include "tensor/tensor.h"

namespace quern {

struct VarNode;  // autograd/node.h

// One slot per input of the operation, in the order given to Record.
using Grads = std::vector<Slot>;
using BackwardFn = std::function<void(const Tensor& dy, Grads& out)>;

// What a closure accepts beyond memory of its own for each gradient.
struct GradTraits {
  // Destinations that are slices of wider rows (contiguous in the innermost axis), so that the gradients of q, k and v
  // land side by side in one QKV row.
  bool strided = false;
  // dy's own memory for the first input's gradient: the closure reads each element of dy before it writes that element
  // of the gradient, and nothing of dy afterwards.
  bool over_dy = false;
};

class Var {
 public:
  Var() = default;
  // A constant: no gradient flows to it.
  Var(Tensor value);  // NOLINT: tensors are constants wherever a Var is expected
  // A leaf that wants a gradient.
  static Var Parameter(Tensor value);

  bool defined() const { return node_ != nullptr; }
  const Tensor& value() const;
  // For optimizers and loaders: the parameter's memory. Writing raises its version.
  Tensor& mutable_value();
  const Shape& shape() const { return value().shape(); }
  int64_t dim(int axis) const { return value().dim(axis); }
  bool requires_grad() const;
  // Freezes or unfreezes a leaf. A frozen leaf costs no dW.
  void set_requires_grad(bool requires_grad);

  // Leaves: the gradient after Backward; undefined where none has arrived since ClearGrad.
  const Tensor& grad() const;
  // Leaves: gradients go into this memory (f32, the parameter's shape): a slice of the trainer's arena.
  void BindGrad(Tensor destination);
  // The next gradient overwrites; later ones add, so micro-batches accumulate until the next ClearGrad.
  void ClearGrad();

  const std::shared_ptr<VarNode>& node() const { return node_; }

 private:
  explicit Var(std::shared_ptr<VarNode> node) : node_(std::move(node)) {}
  friend Var RecordNode(const char* op, Tensor value, std::vector<Var> inputs, BackwardFn backward, GradTraits traits);
  friend Var VarOf(std::shared_ptr<VarNode> node);
  std::shared_ptr<VarNode> node_;
};

// False inside a NoGrad scope (per thread).
bool GradEnabled();

class NoGrad {
 public:
  NoGrad();
  ~NoGrad();
  NoGrad(const NoGrad&) = delete;
  NoGrad& operator=(const NoGrad&) = delete;

 private:
  bool previous_;
};

Var RecordNode(const char* op, Tensor value, std::vector<Var> inputs, BackwardFn backward, GradTraits traits);

// Puts an operation on the tape. A template, so that under NoGrad, or where no input wants a gradient, no closure is
// built. The closure writes, adds to, or gives to every slot that is wanted.
template <typename Backward>
Var Record(const char* op, Tensor value, std::initializer_list<Var> inputs, Backward&& backward,
           GradTraits traits = {}) {
  bool wanted = false;
  if (GradEnabled()) {
    for (const Var& input : inputs) wanted = wanted || (input.defined() && input.requires_grad());
  }
  if (!wanted) return Var(std::move(value));
  return RecordNode(op, std::move(value), std::vector<Var>(inputs), BackwardFn(std::forward<Backward>(backward)),
                    traits);
}

struct BackwardOptions {
  // Called once per parameter leaf when its gradient of this pass is complete: where communication overlaps.
  std::function<void(Var& parameter)> on_grad_ready;
};
// `loss` has one element; its gradient starts at 1. Frees the tape as it walks: a second Backward over the same graph
// is a CHECK. CHECKs that what closures of this graph produced has not been written in place since (storage versions).
void Backward(const Var& loss, const BackwardOptions& options = {});

}  // namespace quern

#endif  // QUERN_AUTOGRAD_VAR_H_
