#include "tests/op_vectors/onnx_tensor.h"

#include <cstring>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "tensor/io/file_dtype.h"
#include "tests/op_vectors/onnx.pb.h"

namespace quern {
namespace {

constexpr uint64_t kMaxBytes = uint64_t{256} << 20;

// Element by element, from the typed list or from raw bytes; nullopt where their count is not `elements`.
template <typename T, typename Typed>
std::optional<std::vector<T>> Elements(const onnx::TensorProto& proto, const Typed& typed, int64_t elements) {
  std::vector<T> values;
  if (proto.has_raw_data()) {
    const std::string& raw = proto.raw_data();
    if (raw.size() != static_cast<size_t>(elements) * sizeof(T)) return std::nullopt;
    values.resize(static_cast<size_t>(elements));
    if (elements > 0) std::memcpy(values.data(), raw.data(), raw.size());
  } else {
    if (typed.size() != elements) return std::nullopt;
    for (auto value : typed) values.push_back(static_cast<T>(value));
  }
  return values;
}

template <typename T, typename Typed>
Tensor Decode(const onnx::TensorProto& proto, const Typed& typed, const Shape& shape) {
  std::optional<std::vector<T>> values = Elements<T>(proto, typed, shape.elements());
  return values ? Tensor::Of(*values, shape) : Tensor();
}

// Undefined where the bytes are too few or too many.
Tensor DecodeAny(const onnx::TensorProto& proto, const Shape& shape) {
  switch (proto.data_type()) {
    case kOnnxFloat:
      return Decode<float>(proto, proto.float_data(), shape);
    case kOnnxUint8:
    case kOnnxBool:
      return Decode<uint8_t>(proto, proto.int32_data(), shape);
    case kOnnxInt8:
      return Decode<int8_t>(proto, proto.int32_data(), shape);
    case kOnnxInt32:
      return Decode<int32_t>(proto, proto.int32_data(), shape);
    case kOnnxInt64:
      return Decode<int64_t>(proto, proto.int64_data(), shape);
    case kOnnxDouble:
      return Decode<double>(proto, proto.double_data(), shape);
    default:
      break;
  }
  std::optional<std::vector<uint16_t>> bits = Elements<uint16_t>(proto, proto.int32_data(), shape.elements());
  if (!bits) return Tensor();
  if (proto.data_type() == kOnnxBfloat16) {
    Tensor tensor = Tensor::Empty(shape, DType::kBF16);
    if (!bits->empty()) std::memcpy(tensor.mutable_raw(), bits->data(), bits->size() * sizeof(uint16_t));
    return tensor;
  }
  std::vector<float> floats;
  for (uint16_t half : *bits) floats.push_back(HalfToFloat(half));
  return Tensor::Of(floats, shape);
}

bool Known(int type) {
  for (int known : {kOnnxFloat, kOnnxUint8, kOnnxInt8, kOnnxInt32, kOnnxInt64, kOnnxBool, kOnnxFloat16, kOnnxDouble,
                    kOnnxBfloat16}) {
    if (type == known) return true;
  }
  return false;
}

}  // namespace

std::string OnnxTypeName(int type) {
  static constexpr const char* kNames[] = {
      "none",      "float",      "uint8",      "int8",         "uint16",         "int16",      "int32",
      "int64",     "string",     "bool",       "float16",      "double",         "uint32",     "uint64",
      "complex64", "complex128", "bfloat16",   "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
      "uint4",     "int4",       "float4e2m1", "float8e8m0",   "uint2",          "int2",
  };
  if (type >= 0 && type < static_cast<int>(std::size(kNames))) return kNames[type];
  return absl::StrCat("type ", type);
}

absl::StatusOr<OnnxValue> ReadOnnxTensor(const std::string& path) {
  auto refuse = [&](const auto&... what) { return absl::InvalidArgumentError(absl::StrCat(path, ": ", what...)); };
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxBytes));
  onnx::TensorProto proto;
  if (!proto.ParseFromString(bytes)) return refuse("no ONNX tensor (TensorProto)");
  OnnxValue value;
  value.type = proto.data_type();
  if (value.type == kOnnxNone) return refuse("a tensor without data_type");
  if (proto.data_location() != 0) return refuse("its elements are in another file; only tensors in one file are read");
  if (!Known(value.type)) return value;
  if (proto.dims_size() > kMaxRank) {
    return absl::UnimplementedError(absl::StrCat(proto.dims_size(), " axes; tensors have at most ", kMaxRank));
  }
  // An element takes a byte at least, so that no tensor of a file has more of them than the file has bytes.
  const int64_t most = static_cast<int64_t>(bytes.size());
  int64_t elements = 1;
  for (int64_t dim : proto.dims()) {
    if (dim < 0 || dim > most || (dim > 0 && elements > most / dim)) {
      return refuse("an axis of ", dim, " elements in a file of ", most, " bytes");
    }
    elements *= dim;
  }
  const Shape shape(std::span<const int64_t>(proto.dims().data(), static_cast<size_t>(proto.dims_size())));
  value.tensor = DecodeAny(proto, shape);
  if (!value.tensor.defined()) {
    return refuse(OnnxTypeName(value.type), ToString(shape), " does not fit the elements that the file holds");
  }
  return value;
}

}  // namespace quern
