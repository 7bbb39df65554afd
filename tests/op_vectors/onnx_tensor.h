// ONNX tensors from files: outside data, so everything in them is checked before it is used.
#ifndef QUERN_TESTS_OP_VECTORS_ONNX_TENSOR_H_
#define QUERN_TESTS_OP_VECTORS_ONNX_TENSOR_H_

#include <string>

#include "absl/status/statusor.h"
#include "tensor/tensor.h"

namespace quern {

// TensorProto.data_type, as far as Quern has the type.
enum OnnxType : int {
  kOnnxNone = 0,
  kOnnxFloat = 1,
  kOnnxUint8 = 2,
  kOnnxInt8 = 3,
  kOnnxInt32 = 6,
  kOnnxInt64 = 7,
  kOnnxBool = 9,
  kOnnxFloat16 = 10,
  kOnnxDouble = 11,
  kOnnxBfloat16 = 16,
};

// "float16", "float8e4m3fn", ..; also for the types that Quern lacks.
std::string OnnxTypeName(int type);

// A tensor and what its file calls its type: bool is u8, and float16 is widened to f32 (exactly, by the function that
// reads model files). Without a tensor where Quern has no such type.
struct OnnxValue {
  int type = kOnnxNone;
  Tensor tensor;
};

// InvalidArgument where the file is no tensor, or its sizes do not fit its bytes; Unimplemented for more than six axes.
absl::StatusOr<OnnxValue> ReadOnnxTensor(const std::string& path);

}  // namespace quern

#endif  // QUERN_TESTS_OP_VECTORS_ONNX_TENSOR_H_
