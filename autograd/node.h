// The tape's node: what stands behind a Var. For autograd/ only.
#ifndef QUERN_AUTOGRAD_NODE_H_
#define QUERN_AUTOGRAD_NODE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "autograd/var.h"

namespace quern {

struct VarNode {
  const char* op = "";
  uint64_t id = 0;  // in order of creation: a node's inputs have smaller ids
  Tensor value;
  uint64_t version = 0;  // of value's storage at Record
  bool requires_grad = false;
  bool freed = false;

  std::vector<std::shared_ptr<VarNode>> inputs;  // empty for leaves
  std::vector<uint64_t> input_versions;          // of the inputs' storages at Record
  BackwardFn backward;
  GradTraits traits;

  // In place of `backward`: records on the tape what this node's value was computed by (autograd/recompute.h).
  std::function<Var()> rerun;

  // A view: columns [view_begin, view_end) of the parent's innermost axis, reshaped. Its gradient lies inside the
  // parent's where that spares a copy.
  VarNode* view_parent = nullptr;  // kept alive by inputs[0]
  int64_t view_begin = 0, view_end = 0;

  Tensor bound;  // leaves: where the gradient goes
  Tensor grad;
  bool has_grad = false;
  bool owns_grad = false;  // nobody else may hold grad's memory: it may be added to in place
  bool grad_in_parent = false;
  bool partial = false;  // only the columns in `covered` are written yet
  std::vector<std::pair<int64_t, int64_t>> covered;

  bool leaf() const { return inputs.empty() && !freed; }
};

// Size of the innermost axis; 1 of a scalar.
inline int64_t Columns(const VarNode& node) { return node.value.rank() > 0 ? node.value.dim(-1) : 1; }

// All nodes made from here on, in this thread, have this id or a greater one.
uint64_t NextNodeId();

// A view of `parent`: `value` shares its memory.
Var RecordView(const char* op, Tensor value, const Var& parent, int64_t begin, int64_t end);
Var VarOf(std::shared_ptr<VarNode> node);

}  // namespace quern

#endif  // QUERN_AUTOGRAD_NODE_H_
