// Activation recomputation, or gradient checkpointing: Chen et al., "Training Deep Nets with Sublinear Memory Cost",
// 2016.
//
//   x = Recompute([=, this] { return Block(x); });     // for x = Block(x)
//
// keeps nothing of what `fn` computes but its result. When Backward comes to it, `fn` runs again, and the walk goes
// through what it recorded before it goes on: the same operations in the same order as without Recompute, so the same
// gradients, bit for bit, for one more forward pass and the memory of one block instead of all.
//
// `fn` is called twice, the second time in Backward: it holds by value what it reads, and draws random numbers by
// counters that it holds too. Parameters and other Vars from outside are found without being named, and CHECKed to be
// what they were (storage versions). Recompute may stand inside `fn`. Under NoGrad it is fn() and nothing else.
#ifndef QUERN_AUTOGRAD_RECOMPUTE_H_
#define QUERN_AUTOGRAD_RECOMPUTE_H_

#include <functional>

#include "autograd/var.h"

namespace quern {

Var Recompute(std::function<Var()> fn);

}  // namespace quern

#endif  // QUERN_AUTOGRAD_RECOMPUTE_H_
