// Linear: y = x W^T + b. Holds the weight as the file has it, and a packed copy of it where that pays.
#ifndef QUERN_NN_LINEAR_H_
#define QUERN_NN_LINEAR_H_

#include <cstdint>
#include <string>

#include "autograd/functions.h"
#include "autograd/var.h"
#include "nn/language_model.h"

namespace quern::nn {

class Linear {
 public:
  Linear() = default;
  Linear(int64_t in, int64_t out, WeightLayout layout, bool with_bias);
  // A head that shares an embedding's table [out, in].
  static Linear Tied(const Var& table);

  // x: [..., in]; returns [..., out]. While a gradient of the weight is wanted it is used as it lies. Otherwise it is
  // packed at the first call and kept so until the parameter is written or replaced. The bits are the same. Not
  // thread-safe.
  // residual: [..., out] or undefined; added to the result in the same pass.
  Var operator()(const Var& x, const Var& residual = Var());

  // NAME.weight, NAME.bias.
  void Visit(const std::string& name, const ParameterVisitor& visit);

  Var weight;  // [out, in] or, for kInOut, [in, out]
  Var bias;    // [out], or undefined

 private:
  const PackedMatrix* Packed();

  WeightLayout layout_ = WeightLayout::kOutIn;
  PackedMatrix packed_;
  Tensor packed_from_;  // the weight that packed_ is a copy of; its version stands in packed_
};

}  // namespace quern::nn

#endif  // QUERN_NN_LINEAR_H_
