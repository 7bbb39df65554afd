// How far a result may be from the expected one.
#ifndef QUERN_TESTS_OP_VECTORS_COMPARE_H_
#define QUERN_TESTS_OP_VECTORS_COMPARE_H_

#include <string>

#include "tests/op_vectors/onnx_tensor.h"

namespace quern {

struct Comparison {
  double max_err =
      0;  // greatest |got - want|; infinity where one is no number or of another infinity, or shapes differ
  std::string problem;  // empty: within the tolerance of the expected type, in every element
};

// `exact`: an operation that only moves or picks elements.
Comparison CompareOutput(const Tensor& got, const OnnxValue& want, bool exact);

}  // namespace quern

#endif  // QUERN_TESTS_OP_VECTORS_COMPARE_H_
