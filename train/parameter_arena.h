// A model's parameters side by side in one f32 arena, and further arenas of the same layout: gradients, moments. One
// optimizer call covers a group, one norm covers a gradient.
//
// Layout: first the parameters that decay (two axes or more: matrices and tables), then the others (gains, biases),
// each group in the order of Visit, each parameter at a multiple of 64 bytes; what lies between is zero and stays so.
#ifndef QUERN_TRAIN_PARAMETER_ARENA_H_
#define QUERN_TRAIN_PARAMETER_ARENA_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "autograd/var.h"
#include "nn/language_model.h"
#include "tensor/tensor.h"

namespace quern {

struct ArenaEntry {
  std::string name;  // as in the file
  Var parameter;
  int64_t offset = 0;  // elements
};

class ParameterArena {
 public:
  // Moves the weights into the arena: the model's parameters become views of it. They are f32.
  explicit ParameterArena(LanguageModel& model);

  int64_t elements() const { return elements_; }
  // Elements [0, decaying()) decay.
  int64_t decaying() const { return decaying_; }
  const std::vector<ArenaEntry>& entries() const { return entries_; }
  Tensor& weights() { return weights_; }

  // A zeroed arena of this layout, and an entry's part of one, in its parameter's shape.
  Tensor NewArena() const { return Tensor::Zeros({elements_}, DType::kF32); }
  static Tensor Part(const Tensor& arena, const ArenaEntry& entry);

  // The next backward pass overwrites `gradients`.
  void BindGradients(const Tensor& gradients);
  // Zeroes the parts that no gradient has reached since.
  void ZeroUntouched(Tensor& gradients);

 private:
  std::vector<ArenaEntry> entries_;
  int64_t elements_ = 0, decaying_ = 0;
  Tensor weights_;
};

}  // namespace quern

#endif  // QUERN_TRAIN_PARAMETER_ARENA_H_
