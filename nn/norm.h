// Normalisation over the channels: LayerNorm (Ba et al., 2016) and RmsNorm (Zhang and Sennrich, 2019).
#ifndef QUERN_NN_NORM_H_
#define QUERN_NN_NORM_H_

#include <cstdint>
#include <string>

#include "autograd/functions.h"
#include "nn/language_model.h"
#include "nn/parameter.h"

namespace quern::nn {

struct LayerNorm {
  LayerNorm() = default;
  LayerNorm(int64_t width, double eps, bool with_bias)
      : weight(SkeletonParameter({width})), eps(static_cast<float>(eps)) {
    if (with_bias) bias = SkeletonParameter({width});
  }

  Var operator()(const Var& x) const { return quern::LayerNorm(x, weight, bias, eps); }
  void Visit(const std::string& name, const ParameterVisitor& visit) {
    visit(name + ".weight", weight);
    if (bias.defined()) visit(name + ".bias", bias);
  }

  Var weight, bias;  // [width]; bias may be undefined
  float eps = 1e-5f;
};

struct RmsNorm {
  RmsNorm() = default;
  RmsNorm(int64_t width, double eps) : weight(SkeletonParameter({width})), eps(static_cast<float>(eps)) {}

  Var operator()(const Var& x) const { return quern::RmsNorm(x, weight, eps); }
  void Visit(const std::string& name, const ParameterVisitor& visit) { visit(name + ".weight", weight); }

  Var weight;  // [width]
  float eps = 1e-6f;
};

}  // namespace quern::nn

#endif  // QUERN_NN_NORM_H_
