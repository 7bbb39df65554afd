// The specification: the plainest loops, in double.
#include <cmath>

#include "kernels/elementwise/elementwise_args.h"

namespace quern {
namespace ref {
namespace {

double Sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double Phi(double x) { return 0.5 * std::erfc(-x * M_SQRT1_2); }
// tanh is a sigmoid: (1 + tanh(z)) / 2 = sigmoid(2 z).
double TanhZ(double x) { return std::sqrt(8 / M_PI) * (x + 0.044715 * x * x * x); }
double TanhDz(double x) { return std::sqrt(8 / M_PI) * (1 + 3 * 0.044715 * x * x); }
double SiluD(double x) { return Sigmoid(x) * (1 + x * Sigmoid(-x)); }

double One(ElementwiseOp op, double a, double b, double factor) {
  switch (op) {
    case ElementwiseOp::kAdd:
      return a + b;
    case ElementwiseOp::kMul:
      return a * b;
    case ElementwiseOp::kScale:
      return a * factor;
    case ElementwiseOp::kFill:
      return factor;
    case ElementwiseOp::kGeluErf:
      return a * Phi(a);
    case ElementwiseOp::kGeluTanh:
      return a * Sigmoid(TanhZ(a));
    case ElementwiseOp::kGeluErfBackward:
      return a * (Phi(b) + b * std::exp(-b * b / 2) / std::sqrt(2 * M_PI));
    case ElementwiseOp::kGeluTanhBackward:
      return a * Sigmoid(TanhZ(b)) * (1 + b * TanhDz(b) * Sigmoid(-TanhZ(b)));
    case ElementwiseOp::kTanh:
      return std::tanh(a);
    case ElementwiseOp::kSigmoid:
      return Sigmoid(a);
    case ElementwiseOp::kErf:
      return std::erf(a);
    case ElementwiseOp::kSilu:
      return a * Sigmoid(a);
    case ElementwiseOp::kSiluBackward:
      return a * SiluD(b);
    case ElementwiseOp::kSwiGlu:
      return a * Sigmoid(a) * b;
    case ElementwiseOp::kSwiGluBackward:
      return 0;  // below
  }
  return 0;
}

void Put(float& out, bool add, double value) { out = static_cast<float>(add ? out + value : value); }

}  // namespace

void Elementwise(const ElementwiseArgs& args, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    double a = args.a ? args.a[i] : 0, b = args.b ? args.b[i] : 0, c = args.c ? args.c[i] : 0;
    bool swiglu = args.op == ElementwiseOp::kSwiGluBackward;
    if (args.out) Put(args.out[i], args.add, swiglu ? a * c * SiluD(b) : One(args.op, a, b, args.factor));
    if (args.second) Put(args.second[i], args.add_second, a * b * Sigmoid(b));
  }
}

}  // namespace ref
}  // namespace quern
