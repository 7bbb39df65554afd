// From ONNX operators to Quern's kernels, one file per family. An adapter views, transposes, slices, concatenates and
// prepares scalars and masks; the operation itself is computed by the public functions of kernels/ (float16:
// tensor/io), as a model would call them. op_table.cc says which operator goes where.
#ifndef QUERN_TESTS_OP_VECTORS_ADAPTERS_H_
#define QUERN_TESTS_OP_VECTORS_ADAPTERS_H_

#include <vector>

#include "absl/status/statusor.h"
#include "tests/op_vectors/op_case.h"

namespace quern::op_vectors {

// In the order of the node's outputs; undefined where the node leaves one out. Unimplemented: not ours to do.
using Outputs = absl::StatusOr<std::vector<Tensor>>;

Outputs Attention(const OpCase& op);           // attention.cc
Outputs TensorScatter(const OpCase& op);       // cache.cc
Outputs RotaryEmbedding(const OpCase& op);     // rotary.cc
Outputs LayerNormalization(const OpCase& op);  // norms.cc
Outputs RmsNormalization(const OpCase& op);
Outputs Softmax(const OpCase& op);  // softmax.cc
Outputs LogSoftmax(const OpCase& op);
Outputs SoftmaxCrossEntropyLoss(const OpCase& op);  // losses.cc
Outputs NegativeLogLikelihoodLoss(const OpCase& op);
Outputs MatMul(const OpCase& op);  // linear.cc
Outputs Gemm(const OpCase& op);
Outputs Einsum(const OpCase& op);
Outputs Add(const OpCase& op);  // elementwise.cc
Outputs Mul(const OpCase& op);
Outputs Gelu(const OpCase& op);
Outputs Swish(const OpCase& op);
Outputs SwiGlu(const OpCase& op);
Outputs Tanh(const OpCase& op);
Outputs Sigmoid(const OpCase& op);
Outputs Erf(const OpCase& op);
Outputs Cast(const OpCase& op);  // movement.cc
Outputs Gather(const OpCase& op);
Outputs GatherElements(const OpCase& op);
Outputs ScatterElements(const OpCase& op);
Outputs Transpose(const OpCase& op);
Outputs ArgMax(const OpCase& op);  // reduce.cc
Outputs ReduceSum(const OpCase& op);
Outputs ReduceMean(const OpCase& op);
Outputs ReduceMax(const OpCase& op);
Outputs ReduceLogSumExp(const OpCase& op);
Outputs Adam(const OpCase& op);  // optimizers.cc

}  // namespace quern::op_vectors

#endif  // QUERN_TESTS_OP_VECTORS_ADAPTERS_H_
