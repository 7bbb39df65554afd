#include "autograd/var.h"

#include <algorithm>
#include <atomic>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "autograd/node.h"
#include "base/log.h"
#include "kernels/elementwise/elementwise.h"

namespace quern {
namespace {

thread_local bool grad_enabled = true;
std::atomic<uint64_t> next_id{1};

std::shared_ptr<VarNode> MakeNode(const char* op, Tensor value, bool requires_grad) {
  auto node = std::make_shared<VarNode>();
  node->op = op;
  node->id = next_id.fetch_add(1, std::memory_order_relaxed);
  node->version = value.version();
  node->value = std::move(value);
  node->requires_grad = requires_grad;
  return node;
}

bool SameMemory(const Tensor& a, const Tensor& b) { return a.storage() == b.storage() && a.raw() == b.raw(); }

// destination (+)= source; destination may be a strided view.
void Merge(Tensor destination, const Tensor& source, bool accumulate) {
  if (!accumulate) {
    if (!SameMemory(destination, source)) destination.CopyFrom(source);
    return;
  }
  Tensor from = source.Contiguous();
  if (destination.contiguous()) {
    AddInto(destination, from);
    return;
  }
  for (int64_t n = 0; n < destination.dim(0); ++n) {
    Tensor row = destination.Slice(0, n, n + 1);
    if (row.contiguous()) {
      AddInto(row, from.Slice(0, n, n + 1));
    } else {
      Tensor sum = row.Clone();
      AddInto(sum, from.Slice(0, n, n + 1));
      row.CopyFrom(sum);
    }
  }
}

void ZeroColumns(Tensor& grad, int64_t begin, int64_t end) {
  if (begin >= end) return;
  Tensor part = grad.Slice(-1, begin, end);
  part.CopyFrom(Tensor::Zeros(part.shape(), DType::kF32));
}

// Where a gradient of a node is to be written.
struct Target {
  Tensor buffer;
  bool accumulate;
};

// Zeroes the columns that no slice has written: the gradient is whole from here on.
void CompletePartial(VarNode& node) {
  if (!node.partial) return;
  std::sort(node.covered.begin(), node.covered.end());
  int64_t next = 0;
  for (auto [begin, end] : node.covered) {
    ZeroColumns(node.grad, next, begin);
    next = end;
  }
  ZeroColumns(node.grad, next, node.grad.dim(-1));
  node.covered.clear();
  node.partial = false;
}

// A gradient that is added to may not be shared with another node (Add hands the same dy to both of its inputs).
void MakeUnique(VarNode& node) {
  if (!node.owns_grad && !node.grad.storage().unique()) node.grad = node.grad.Clone();
  node.owns_grad = true;
}

Target ReserveColumns(VarNode& node, int64_t begin, int64_t end);

// The whole gradient of a node that has, or gets, memory of its own or inside its parent's.
Target Reserve(VarNode& node) {
  if (node.has_grad) {
    CompletePartial(node);
    if (!node.grad_in_parent) MakeUnique(node);
    return {node.grad, true};
  }
  node.has_grad = true;
  node.owns_grad = true;
  if (node.view_parent != nullptr) {
    Target target = ReserveColumns(*node.view_parent, node.view_begin, node.view_end);
    node.grad = target.buffer.Reshape(node.value.shape());
    node.grad_in_parent = true;
    return {node.grad, target.accumulate};
  }
  node.grad = node.bound.defined() ? node.bound : Tensor::Empty(node.value.shape(), DType::kF32, node.value.device());
  return {node.grad, false};
}

Target ReserveColumns(VarNode& node, int64_t begin, int64_t end) {
  bool whole = begin == 0 && end == Columns(node);
  if (whole || node.view_parent != nullptr) {
    bool fresh = !node.has_grad;
    Target target = Reserve(node);
    if (whole) return target;
    // Part of a view: its other columns are zero unless somebody adds to them.
    if (fresh && !target.accumulate) {
      ZeroColumns(target.buffer, 0, target.buffer.dim(-1));
      target.accumulate = true;
    }
    return {target.buffer.Slice(-1, begin, end), target.accumulate};
  }
  if (!node.has_grad) {
    Reserve(node);
    node.partial = true;
  } else if (node.partial) {
    for (auto [b, e] : node.covered) {
      if (begin < e && b < end) CompletePartial(node);
      if (!node.partial) break;
    }
  } else {
    MakeUnique(node);
  }
  bool accumulate = !node.partial;
  if (node.partial) node.covered.emplace_back(begin, end);
  return {node.grad.Slice(-1, begin, end), accumulate};
}

// A view whose gradient lies inside its parent's, or could at once.
bool WritesIntoParent(const VarNode& node) {
  if (node.view_parent == nullptr) return false;
  bool whole = node.view_begin == 0 && node.view_end == Columns(*node.view_parent);
  return !whole || WritesIntoParent(*node.view_parent) || node.view_parent->has_grad;
}

// Whether the gradient of the consumer's first input may take the place of the consumer's own, which nobody else holds.
bool TakesPlace(const VarNode& consumer, const VarNode& input) {
  return consumer.traits.over_dy && &input == consumer.inputs.front().get() && consumer.grad.storage().unique() &&
         consumer.grad.contiguous() && consumer.grad.shape() == input.value.shape();
}

// Where `consumer` is to write the gradient of `input`. One that appears twice among the consumer's inputs gets its
// first slot in place and further ones apart.
Slot MakeSlot(const VarNode& consumer, VarNode& input, bool repeated) {
  if (!input.requires_grad) return Slot();
  const bool strided = consumer.traits.strided;
  if (!repeated && (input.has_grad || input.bound.defined() || (strided && WritesIntoParent(input)))) {
    Target target = Reserve(input);
    if (target.buffer.contiguous() || strided) return Slot(target.buffer, target.accumulate);
  } else if (!repeated && TakesPlace(consumer, input)) {
    return Slot(consumer.grad);
  }
  return Slot::Lazy(input.value.shape(), DType::kF32, input.value.device());
}

// Takes what the closure left in a slot of MakeSlot.
void TakeGradient(const VarNode& consumer, VarNode& input, Slot& slot) {
  if (!slot.wanted()) return;
  bool given = slot.given().defined();
  bool in_place = input.has_grad && slot.has_destination() && SameMemory(slot.destination(), input.grad);
  CHECK(given || slot.has_destination()) << consumer.op
                                         << ": its gradient closure wrote nothing for an input that wants a gradient.";
  if (in_place && !given) return;
  Tensor gradient = given ? slot.given() : slot.destination();
  CHECK(gradient.shape() == input.value.shape())
      << consumer.op << ": gradient " << gradient << " for an input " << input.value;
  if (in_place) {
    Merge(input.grad, gradient, slot.accumulate());
  } else if (input.has_grad) {
    Merge(Reserve(input).buffer, gradient, /*accumulate=*/true);
  } else {
    input.grad = gradient;
    input.has_grad = true;
    input.owns_grad = !given;
  }
}

// A view whose gradient has memory of its own hands it to its parent.
void PassToParent(VarNode& view) {
  if (view.grad_in_parent) return;
  VarNode& parent = *view.view_parent;
  if (!parent.requires_grad) return;
  bool whole = view.view_begin == 0 && view.view_end == Columns(parent);
  if (whole && !parent.has_grad && !parent.bound.defined() && view.grad.contiguous()) {
    parent.grad = view.grad.Reshape(parent.value.shape());
    parent.has_grad = true;
    parent.owns_grad = view.owns_grad;
    return;
  }
  Target target = ReserveColumns(parent, view.view_begin, view.view_end);
  Merge(target.buffer, view.grad.Contiguous().Reshape(target.buffer.shape()), target.accumulate);
}

using Consumers = std::unordered_map<VarNode*, int>;

// Appends all nodes with ids from `first_id` on that `root` depends on and that want a gradient, latest last; adds up
// how many consumers each leaf has among them.
void CollectNodes(const std::shared_ptr<VarNode>& root, uint64_t first_id, Consumers* consumers,
                  std::vector<std::shared_ptr<VarNode>>* order) {
  const auto begin = static_cast<std::ptrdiff_t>(order->size());
  std::vector<std::shared_ptr<VarNode>> stack = {root};
  std::unordered_set<VarNode*> seen = {root.get()};
  while (!stack.empty()) {
    std::shared_ptr<VarNode> node = std::move(stack.back());
    stack.pop_back();
    for (const auto& input : node->inputs) {
      if (input == nullptr || !input->requires_grad) continue;
      if (input->leaf()) {
        ++(*consumers)[input.get()];
      } else if (input->id >= first_id && seen.insert(input.get()).second) {
        stack.push_back(input);
      }
    }
    order->push_back(std::move(node));
  }
  std::sort(order->begin() + begin, order->end(), [](const auto& a, const auto& b) { return a->id < b->id; });
}

void CheckVersions(const VarNode& node) {
  CHECK_EQ(node.value.version(), node.version)
      << node.op << ": its result was written in place after the forward pass; got " << node.value;
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == nullptr) continue;
    CHECK_EQ(node.inputs[i]->value.version(), node.input_versions[i])
        << node.op << ": input " << i << " was written in place after the forward pass; got " << node.inputs[i]->value;
  }
}

void Propagate(VarNode& node) {
  if (node.view_parent != nullptr) {
    PassToParent(node);
    return;
  }
  CompletePartial(node);
  Grads slots;
  for (auto input = node.inputs.begin(); input != node.inputs.end(); ++input) {
    bool repeated = std::find(node.inputs.begin(), input, *input) != input;
    slots.push_back(*input != nullptr ? MakeSlot(node, **input, repeated) : Slot());
  }
  node.backward(node.grad, slots);
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] != nullptr) TakeGradient(node, *node.inputs[i], slots[i]);
  }
}

// Records again what `node` stands for, hands its gradient to the result, and puts the new nodes on the walk.
void Rerun(VarNode& node, Consumers* consumers, std::vector<std::shared_ptr<VarNode>>* walk) {
  CompletePartial(node);
  const uint64_t first_id = NextNodeId();
  const bool enabled = std::exchange(grad_enabled, true);
  const std::shared_ptr<VarNode> again = node.rerun().node();
  grad_enabled = enabled;
  CHECK(again != nullptr && again->requires_grad && again->id >= first_id && again->value.shape() == node.value.shape())
      << "Recompute: run again, the function records something else; the first time it gave " << node.value;
  again->grad = std::move(node.grad);
  again->has_grad = true;
  again->owns_grad = node.owns_grad;
  CollectNodes(again, first_id, consumers, walk);
}

}  // namespace

Var::Var(Tensor value) : node_(MakeNode("constant", std::move(value), false)) {}

Var Var::Parameter(Tensor value) { return Var(MakeNode("parameter", std::move(value), true)); }

const Tensor& Var::value() const {
  CHECK(node_ != nullptr) << "Var: undefined.";
  return node_->value;
}

Tensor& Var::mutable_value() {
  CHECK(node_ != nullptr && node_->leaf()) << "Var: only leaves may be written.";
  return node_->value;
}

bool Var::requires_grad() const { return node_ != nullptr && node_->requires_grad; }

void Var::set_requires_grad(bool requires_grad) {
  CHECK(node_ != nullptr && node_->leaf()) << "Var: only leaves are frozen or unfrozen.";
  node_->requires_grad = requires_grad;
}

const Tensor& Var::grad() const {
  static const Tensor* none = new Tensor;
  return node_ != nullptr && node_->has_grad ? node_->grad : *none;
}

void Var::BindGrad(Tensor destination) {
  CHECK(node_ != nullptr && node_->leaf()) << "BindGrad: for leaves.";
  CHECK(destination.shape() == value().shape() && destination.dtype() == DType::kF32)
      << "BindGrad: f32 of the parameter's shape; got " << destination << " for " << value();
  node_->bound = std::move(destination);
  ClearGrad();
}

void Var::ClearGrad() {
  node_->has_grad = false;
  node_->owns_grad = false;
  node_->grad = Tensor();
}

bool GradEnabled() { return grad_enabled; }
NoGrad::NoGrad() : previous_(grad_enabled) { grad_enabled = false; }
NoGrad::~NoGrad() { grad_enabled = previous_; }

Var RecordNode(const char* op, Tensor value, std::vector<Var> inputs, BackwardFn backward, GradTraits traits) {
  auto node = MakeNode(op, std::move(value), true);
  for (const Var& input : inputs) {
    node->inputs.push_back(input.node());
    node->input_versions.push_back(input.defined() ? input.value().version() : 0);
  }
  node->backward = std::move(backward);
  node->traits = traits;
  return Var(std::move(node));
}

Var RecordView(const char* op, Tensor value, const Var& parent, int64_t begin, int64_t end) {
  if (!GradEnabled() || !parent.requires_grad()) return Var(std::move(value));
  Var view = RecordNode(op, std::move(value), {parent}, nullptr, {});
  view.node()->view_parent = parent.node().get();
  view.node()->view_begin = begin;
  view.node()->view_end = end;
  return view;
}

void Backward(const Var& loss, const BackwardOptions& options) {
  CHECK(loss.defined() && loss.value().elements() == 1)
      << "Backward: the loss has one element; got " << (loss.defined() ? Describe(loss.value()) : "none");
  CHECK(loss.requires_grad() && !loss.node()->leaf()) << "Backward: nothing that the loss depends on wants a gradient.";
  Consumers consumers;
  std::vector<std::shared_ptr<VarNode>> walk;
  CollectNodes(loss.node(), 0, &consumers, &walk);
  Tensor one = Tensor::Empty(loss.value().shape(), DType::kF32, loss.value().device());
  Fill(one, 1.0f);
  loss.node()->grad = one;
  loss.node()->has_grad = true;
  one = Tensor();
  while (!walk.empty()) {
    const std::shared_ptr<VarNode> node = std::move(walk.back());
    walk.pop_back();
    if (node->has_grad) {
      CHECK(!node->freed) << "Backward: the tape of this loss was freed by an earlier Backward.";
      CheckVersions(*node);
      if (node->rerun) {
        Rerun(*node, &consumers, &walk);
      } else {
        Propagate(*node);
      }
    }
    for (const auto& input : node->inputs) {
      if (input == nullptr || !input->requires_grad || !input->leaf() || --consumers[input.get()] > 0) continue;
      CompletePartial(*input);
      if (options.on_grad_ready) {
        Var parameter = VarOf(input);
        options.on_grad_ready(parameter);
      }
    }
    node->backward = nullptr;
    node->rerun = nullptr;
    node->inputs.clear();
    node->grad = Tensor();
    node->has_grad = false;
    node->freed = true;
  }
}

uint64_t NextNodeId() { return next_id.load(std::memory_order_relaxed); }
Var VarOf(std::shared_ptr<VarNode> node) { return Var(std::move(node)); }

}  // namespace quern
