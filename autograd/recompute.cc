#include "autograd/recompute.h"

#include <unordered_set>
#include <utility>
#include <vector>

#include "autograd/node.h"

namespace quern {
namespace {

// What the nodes from `first_id` on, behind `root`, take from outside.
std::vector<Var> OuterInputs(const std::shared_ptr<VarNode>& root, uint64_t first_id) {
  std::vector<Var> outer;
  std::vector<VarNode*> stack = {root.get()};
  std::unordered_set<VarNode*> seen = {root.get()};
  while (!stack.empty()) {
    VarNode* node = stack.back();
    stack.pop_back();
    for (const std::shared_ptr<VarNode>& input : node->inputs) {
      if (input == nullptr || !seen.insert(input.get()).second) continue;
      if (input->id >= first_id) {
        stack.push_back(input.get());
      } else {
        outer.push_back(VarOf(input));
      }
    }
  }
  return outer;
}

}  // namespace

Var Recompute(std::function<Var()> fn) {
  // Recorded even so: the tape tells what `fn` takes from outside, it costs no more memory than Backward will need for
  // the same block, and layers do what they do on a tape (a Linear would pack its weight without one).
  const uint64_t first_id = NextNodeId();
  Var once = fn();
  if (!GradEnabled() || !once.requires_grad() || once.node()->id < first_id) return once;
  Var result = RecordNode("Recompute", once.value(), OuterInputs(once.node(), first_id), nullptr, {});
  result.node()->rerun = std::move(fn);
  return result;
}

}  // namespace quern
