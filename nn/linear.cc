#include "nn/linear.h"

#include "nn/parameter.h"

namespace quern::nn {

Linear::Linear(int64_t in, int64_t out, WeightLayout layout, bool with_bias)
    : weight(SkeletonParameter(layout == WeightLayout::kOutIn ? Shape{out, in} : Shape{in, out})), layout_(layout) {
  if (with_bias) bias = SkeletonParameter({out});
}

Linear Linear::Tied(const Var& table) {
  Linear head;
  head.weight = table;
  head.layout_ = WeightLayout::kOutIn;
  return head;
}

const PackedMatrix* Linear::Packed() {
  if (GradEnabled() && weight.requires_grad()) {
    packed_ = {};
    packed_from_ = Tensor();
    return nullptr;
  }
  const Tensor& w = weight.value();
  bool fresh = packed_.defined() && packed_.version == w.version() && packed_from_.storage() == w.storage() &&
               packed_from_.raw() == w.raw();
  if (!fresh) {
    packed_ = {};  // its memory first
    packed_ = PackWeight(w, layout_);
    packed_from_ = w;
  }
  return &packed_;
}

Var Linear::operator()(const Var& x, const Var& residual) {
  return quern::Linear(x, weight, layout_, bias, Packed(), residual);
}

void Linear::Visit(const std::string& name, const ParameterVisitor& visit) {
  visit(name + ".weight", weight);
  if (bias.defined()) visit(name + ".bias", bias);
}

}  // namespace quern::nn
