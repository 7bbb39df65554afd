#include "train/parameter_arena.h"

#include "base/log.h"
#include "kernels/elementwise/elementwise.h"

namespace quern {
namespace {

constexpr int64_t kAlignedElements = kAlignment / static_cast<int64_t>(sizeof(float));

int64_t AlignUp(int64_t elements) { return (elements + kAlignedElements - 1) / kAlignedElements * kAlignedElements; }

}  // namespace

ParameterArena::ParameterArena(LanguageModel& model) {
  for (bool decays : {true, false}) {
    model.Visit([&](std::string_view name, Var& parameter) {
      CHECK(parameter.value().dtype() == DType::kF32) << "ParameterArena: " << std::string(name) << " is f32.";
      if ((parameter.shape().rank() >= 2) != decays) return;
      entries_.push_back({std::string(name), parameter, elements_});
      elements_ = AlignUp(elements_ + parameter.value().elements());
    });
    if (decays) decaying_ = elements_;
  }
  weights_ = NewArena();
  for (ArenaEntry& entry : entries_) {
    Tensor part = Part(weights_, entry);
    part.CopyFrom(entry.parameter.value());
    entry.parameter.mutable_value() = part;
  }
}

Tensor ParameterArena::Part(const Tensor& arena, const ArenaEntry& entry) {
  const Shape& shape = entry.parameter.shape();
  return arena.Slice(0, entry.offset, entry.offset + shape.elements()).Reshape(shape);
}

void ParameterArena::BindGradients(const Tensor& gradients) {
  for (ArenaEntry& entry : entries_) {
    entry.parameter.ClearGrad();
    entry.parameter.BindGrad(Part(gradients, entry));
  }
}

void ParameterArena::ZeroUntouched(Tensor& gradients) {
  for (ArenaEntry& entry : entries_) {
    if (entry.parameter.grad().defined()) continue;
    Tensor part = Part(gradients, entry);
    Fill(part, 0);
  }
}

}  // namespace quern
