#include "autograd/grad_check.h"

#include <algorithm>
#include <cmath>

#include "autograd/functions.h"
#include "kernels/testing.h"

namespace quern {
namespace {

using Function = std::function<Var(const std::vector<Var>&)>;

double Loss(const Function& fn, const std::vector<Tensor>& inputs, const Tensor& weights) {
  NoGrad no_grad;
  std::vector<Var> vars(inputs.begin(), inputs.end());
  Tensor y = fn(vars).value().Contiguous();
  double loss = 0;
  for (int64_t i = 0; i < y.elements(); ++i) loss += double{y.data<float>()[i]} * weights.data<float>()[i];
  return loss;
}

// Gradients of all inputs; `frozen` gets none.
std::vector<Tensor> Gradients(const Function& fn, const std::vector<Tensor>& inputs, const Tensor& weights,
                              int frozen) {
  std::vector<Var> vars;
  for (size_t i = 0; i < inputs.size(); ++i) {
    vars.push_back(static_cast<int>(i) == frozen ? Var(inputs[i]) : Var::Parameter(inputs[i].Clone()));
  }
  Var y = fn(vars);
  std::vector<Tensor> grads;
  if (y.requires_grad()) Backward(Sum(Mul(y, Var(weights.Reshape(y.shape())))));
  for (Var& var : vars) grads.push_back(var.grad());
  return grads;
}

double NumericDerivative(const Function& fn, std::vector<Tensor> inputs, size_t which, int64_t element,
                         const Tensor& weights, double h) {
  inputs[which] = inputs[which].Clone();
  float centre = inputs[which].data<float>()[element];
  auto at = [&](double offset) {
    // What f32 makes of the step is the step.
    float moved = static_cast<float>(centre + offset);
    inputs[which].mutable_data<float>()[element] = moved;
    return Loss(fn, inputs, weights);
  };
  return (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
}

}  // namespace

testing::AssertionResult GradientsMatch(const Function& fn, const std::vector<Tensor>& inputs,
                                        const GradCheckOptions& options) {
  std::vector<Var> probe(inputs.begin(), inputs.end());
  Tensor weights = RandomTensor(fn(probe).shape(), 77);
  std::vector<Tensor> grads = Gradients(fn, inputs, weights, -1), again = Gradients(fn, inputs, weights, -1);
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!grads[i].defined()) return testing::AssertionFailure() << "input " << i << " got no gradient";
    if (auto same = SameBits(grads[i], again[i]); !same)
      return testing::AssertionFailure() << "a second run differs: " << same.message();
    std::vector<Tensor> partly = Gradients(fn, inputs, weights, static_cast<int>(i));
    for (size_t j = 0; j < inputs.size(); ++j) {
      if (j == i ? partly[j].defined() : !SameBits(partly[j], grads[j])) {
        return testing::AssertionFailure() << "freezing input " << i << " changed the gradient of input " << j;
      }
    }
    int64_t n = inputs[i].elements(), places = std::min<int64_t>(n, options.max_elements);
    double difference = 0, norm = 0;
    for (int64_t p = 0; p < places; ++p) {
      int64_t element = places == n ? p : p * (n - 1) / (places - 1);
      double numeric = NumericDerivative(fn, inputs, i, element, weights, options.step);
      double analytic = grads[i].data<float>()[element];
      difference += (numeric - analytic) * (numeric - analytic);
      norm += std::max(numeric * numeric, analytic * analytic);
    }
    if (!(std::sqrt(difference) <= options.tolerance * std::sqrt(norm) + 1e-4)) {
      return testing::AssertionFailure() << "input " << i << " " << Describe(inputs[i])
                                         << ": gradient differs from the numeric one by " << std::sqrt(difference)
                                         << " at norm " << std::sqrt(norm);
    }
  }
  return testing::AssertionSuccess();
}

}  // namespace quern
