#include "tests/op_vectors/op_case.h"

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/status_macros.h"
#include "kernels/elementwise/elementwise.h"
#include "tests/op_vectors/onnx.pb.h"

namespace quern {
namespace {

constexpr uint64_t kMaxModelBytes = uint64_t{64} << 20;

// Per name of an operand, its place among `values`.
template <typename Names, typename Values>
absl::StatusOr<std::vector<std::optional<int>>> Places(const Names& names, const Values& values) {
  std::vector<std::optional<int>> places;
  for (const std::string& name : names) {
    std::optional<int> place;
    for (int i = 0; i < values.size(); ++i) {
      if (values[i].name() == name) place = i;
    }
    if (!name.empty() && !place) return Skip(absl::StrCat(name, " is a constant inside the graph"));
    places.push_back(name.empty() ? std::nullopt : place);
  }
  return places;
}

absl::StatusOr<std::vector<OnnxValue>> ReadValues(const std::vector<std::optional<int>>& places,
                                                  const std::string& prefix) {
  std::vector<OnnxValue> values;
  for (const std::optional<int>& place : places) {
    OnnxValue value;
    if (place) {
      ASSIGN_OR_RETURN(value, ReadOnnxTensor(absl::StrCat(prefix, *place, ".pb")));
    }
    values.push_back(std::move(value));
  }
  return values;
}

Tensor Narrowed(const Tensor& doubles) {
  std::vector<float> floats;
  for (double value : doubles.ToVector<double>()) floats.push_back(static_cast<float>(value));
  return Tensor::Of(floats, doubles.shape());
}

}  // namespace

absl::Status Skip(const std::string& reason) { return absl::UnimplementedError(reason); }

absl::StatusOr<OpModel> ReadOpModel(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kMaxModelBytes));
  onnx::ModelProto proto;
  if (!proto.ParseFromString(bytes) || proto.graph().node_size() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": no ONNX model (ModelProto) with a node"));
  }
  const onnx::GraphProto& graph = proto.graph();
  if (graph.node_size() > 1) {
    return Skip(absl::StrCat("a graph of ", graph.node_size(), " nodes; single operators are run here"));
  }
  const onnx::NodeProto& node = graph.node(0);
  OpModel model;
  model.op_type = node.op_type();
  model.domain = node.domain();
  for (const auto& opset : proto.opset_import()) {
    if (opset.domain() == node.domain()) model.opset = opset.version();
  }
  for (const onnx::AttributeProto& a : node.attribute()) {
    model.attributes[a.name()] = {a.type(), a.f(), a.i(), a.s(), {a.ints().begin(), a.ints().end()}};
  }
  ASSIGN_OR_RETURN(model.inputs, Places(node.input(), graph.input()));
  ASSIGN_OR_RETURN(model.outputs, Places(node.output(), graph.output()));
  return model;
}

absl::StatusOr<OpCase> OpCase::Read(const OpModel& model, const std::string& folder) {
  OpCase op;
  op.model_ = model;
  ASSIGN_OR_RETURN(op.inputs_, ReadValues(model.inputs, JoinPath(folder, "input_")));
  ASSIGN_OR_RETURN(op.outputs_, ReadValues(model.outputs, JoinPath(folder, "output_")));
  return op;
}

absl::StatusOr<Tensor> OpCase::Input(size_t input) const {
  if (!Has(input)) return Skip(absl::StrCat("without input ", input));
  if (!inputs_[input].tensor.defined()) return Skip(absl::StrCat("no dtype ", OnnxTypeName(inputs_[input].type)));
  return inputs_[input].tensor;
}

absl::StatusOr<Tensor> OpCase::Floats(size_t input) const {
  ASSIGN_OR_RETURN(Tensor tensor, Input(input));
  if (tensor.elements() == 0) return Skip("a tensor without elements");
  switch (tensor.dtype()) {
    case DType::kF32:
      return tensor;
    case DType::kF64:
      return Narrowed(tensor);
    case DType::kBF16:
      return Cast(tensor, DType::kF32);
    default:
      return Skip(absl::StrCat("computes in f32; got ", OnnxTypeName(inputs_[input].type)));
  }
}

absl::StatusOr<std::vector<int64_t>> OpCase::Ints(size_t input) const {
  ASSIGN_OR_RETURN(Tensor tensor, Input(input));
  if (tensor.dtype() == DType::kI64) return tensor.ToVector<int64_t>();
  if (tensor.dtype() != DType::kI32) return Skip(absl::StrCat("indices of ", OnnxTypeName(inputs_[input].type)));
  const std::vector<int32_t> values = tensor.ToVector<int32_t>();
  return std::vector<int64_t>(values.begin(), values.end());
}

absl::StatusOr<Shape> OpCase::InputShape(size_t input) const {
  ASSIGN_OR_RETURN(Tensor tensor, Input(input));
  return tensor.shape();
}

int64_t OpCase::Int(const std::string& attribute, int64_t fallback) const {
  auto it = model_.attributes.find(attribute);
  return it == model_.attributes.end() ? fallback : it->second.i;
}

float OpCase::Float(const std::string& attribute, float fallback) const {
  auto it = model_.attributes.find(attribute);
  return it == model_.attributes.end() ? fallback : it->second.f;
}

std::string OpCase::String(const std::string& attribute, const std::string& fallback) const {
  auto it = model_.attributes.find(attribute);
  return it == model_.attributes.end() ? fallback : it->second.s;
}

std::vector<int64_t> OpCase::IntList(const std::string& attribute) const {
  auto it = model_.attributes.find(attribute);
  return it == model_.attributes.end() ? std::vector<int64_t>() : it->second.ints;
}

}  // namespace quern
