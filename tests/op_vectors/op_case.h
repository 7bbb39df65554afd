// One ONNX operator test: a folder with model.onnx, a graph of a single node, and test_data_set_0, .. with input_0.pb,
// .. and output_0.pb, .. in the order of the graph's inputs and outputs.
//
// Errors: Unimplemented means "not ours to do" (the test is skipped, the message is the reason); every other one that
// the files are not what they should be.
#ifndef QUERN_TESTS_OP_VECTORS_OP_CASE_H_
#define QUERN_TESTS_OP_VECTORS_OP_CASE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/op_vectors/onnx_tensor.h"

namespace quern {

// The error that makes a test SKIP.
absl::Status Skip(const std::string& reason);

struct OpAttribute {
  int type = 0;  // AttributeProto.type
  float f = 0;
  int64_t i = 0;
  std::string s;
  std::vector<int64_t> ints;
};

// The node, and where its operands are among the test's files.
struct OpModel {
  std::string op_type, domain;
  int64_t opset = 0;  // version of the node's domain
  std::map<std::string, OpAttribute> attributes;
  // Per operand of the node, the number of its file; nullopt for an optional one that is left out.
  std::vector<std::optional<int>> inputs, outputs;
};
absl::StatusOr<OpModel> ReadOpModel(const std::string& path);

class OpCase {
 public:
  // `folder`: a test_data_set_N.
  static absl::StatusOr<OpCase> Read(const OpModel& model, const std::string& folder);

  const OpModel& model() const { return model_; }
  bool Has(size_t input) const { return input < inputs_.size() && inputs_[input].type != kOnnxNone; }
  size_t InputCount() const { return inputs_.size(); }
  bool Wants(size_t output) const { return output < outputs_.size() && outputs_[output].type != kOnnxNone; }
  // kOnnxNone where it is left out.
  int InputType(size_t input) const { return Has(input) ? inputs_[input].type : kOnnxNone; }
  const std::vector<OnnxValue>& outputs() const { return outputs_; }

  // An operand as its file has it. Skip where it is left out or Quern has no such type.
  absl::StatusOr<Tensor> Input(size_t input) const;
  // A non-empty f32 tensor, because kernels compute in f32: bf16 is widened, f64 is rounded. Skip for other types.
  absl::StatusOr<Tensor> Floats(size_t input) const;
  // The elements of an i32 or i64 tensor, and what shape they have.
  absl::StatusOr<std::vector<int64_t>> Ints(size_t input) const;
  absl::StatusOr<Shape> InputShape(size_t input) const;

  int64_t Int(const std::string& attribute, int64_t fallback) const;
  float Float(const std::string& attribute, float fallback) const;
  std::string String(const std::string& attribute, const std::string& fallback) const;
  bool HasAttribute(const std::string& attribute) const { return model_.attributes.count(attribute) > 0; }
  std::vector<int64_t> IntList(const std::string& attribute) const;

 private:
  OpModel model_;
  std::vector<OnnxValue> inputs_, outputs_;
};

}  // namespace quern

#endif  // QUERN_TESTS_OP_VECTORS_OP_CASE_H_
