// Embedding: a table of rows, looked up by id.
#ifndef QUERN_NN_EMBEDDING_H_
#define QUERN_NN_EMBEDDING_H_

#include <cstdint>
#include <string>

#include "autograd/functions.h"
#include "nn/language_model.h"
#include "nn/parameter.h"

namespace quern::nn {

struct Embedding {
  Embedding() = default;
  Embedding(int64_t rows, int64_t width) : weight(SkeletonParameter({rows, width})) {}

  // ids: i32 [N]; returns [N, width].
  Var operator()(const Tensor& ids) const { return quern::Embedding(weight, ids); }
  void Visit(const std::string& name, const ParameterVisitor& visit) { visit(name + ".weight", weight); }

  Var weight;  // [rows, width]
};

}  // namespace quern::nn

#endif  // QUERN_NN_EMBEDDING_H_
