#include <cstring>
#include <fstream>
#include <sstream>

#include "base/file.h"
#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "kernels/isa.h"
#include "tests/op_vectors/onnx.pb.h"
#include "tests/op_vectors/onnx_tensor.h"
#include "tests/op_vectors/runner.h"

namespace quern {
namespace {

using testing::EndsWith;
using testing::HasSubstr;

onnx::TensorProto Floats(const std::vector<int64_t>& dims, const std::vector<float>& values) {
  onnx::TensorProto proto;
  proto.set_data_type(kOnnxFloat);
  for (int64_t dim : dims) proto.add_dims(dim);
  proto.set_raw_data(values.data(), values.size() * sizeof(float));
  return proto;
}

// A test's folder, made here.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(JoinPath(testing::TempDir(), "op_vectors/" + name)) {
    CHECK_OK(RemoveAll(path_));
    CHECK_OK(MakeFolders(JoinPath(path_, "test_data_set_0")));
  }
  const std::string& path() const { return path_; }

  // A graph of one node over `inputs` and one output.
  onnx::NodeProto* Node(const std::string& op_type, int inputs) {
    onnx::GraphProto* graph = model_.mutable_graph();
    onnx::NodeProto* node = graph->add_node();
    node->set_op_type(op_type);
    for (int i = 0; i < inputs; ++i) {
      node->add_input("x" + std::to_string(i));
      graph->add_input()->set_name("x" + std::to_string(i));
    }
    node->add_output("y");
    graph->add_output()->set_name("y");
    return node;
  }
  void SetInt(onnx::NodeProto* node, const std::string& name, int64_t value) {
    onnx::AttributeProto* attribute = node->add_attribute();
    attribute->set_name(name);
    attribute->set_i(value);
    attribute->set_type(2);
  }
  void Write(const std::vector<onnx::TensorProto>& inputs, const onnx::TensorProto& output) {
    Put("model.onnx", model_.SerializeAsString());
    for (size_t i = 0; i < inputs.size(); ++i) {
      Put("test_data_set_0/input_" + std::to_string(i) + ".pb", inputs[i].SerializeAsString());
    }
    Put("test_data_set_0/output_0.pb", output.SerializeAsString());
  }
  void Put(const std::string& name, const std::string& bytes) {
    // Hundreds of files that nobody keeps: without WriteFileAtomic's fsync.
    std::ofstream file(JoinPath(path_, name), std::ios::binary);
    CHECK(file.write(bytes.data(), static_cast<std::streamsize>(bytes.size())).flush()) << path_ << name;
  }
  OpResult Run() const { return RunOpTest(path_); }

 private:
  std::string path_;
  onnx::ModelProto model_;
};

// [1 2; 3 4] [5 6; 7 8].
Folder Product(const std::string& name, const onnx::TensorProto& output) {
  Folder folder(name);
  folder.Node("MatMul", 2);
  folder.Write({Floats({2, 2}, {1, 2, 3, 4}), Floats({2, 2}, {5, 6, 7, 8})}, output);
  return folder;
}

struct Exit {
  int status;
  std::string out, err;
};
Exit Main(const std::vector<std::string>& args) {
  const Isa before = CurrentIsa();
  std::ostringstream out, err;
  const int status = OpVectorsMain(args, out, err);
  SetIsa(before);
  return {status, out.str(), err.str()};
}

TEST(OpVectorsTest, RightAndWrongResults) {
  const Folder right = Product("right", Floats({2, 2}, {19, 22, 43, 50}));
  EXPECT_EQ(right.Run().verdict, OpVerdict::kPass) << right.Run().reason;
  Exit exit = Main({right.path()});
  EXPECT_EQ(exit.status, 0) << exit.err;
  EXPECT_EQ(exit.out, "right PASS 0\n1 tests: 1 PASS, 0 FAIL, 0 SKIP\n");

  const Folder wrong = Product("wrong", Floats({2, 2}, {19, 22, 43, 50.01f}));
  exit = Main({wrong.path()});
  EXPECT_EQ(exit.status, 1);
  EXPECT_THAT(exit.out, HasSubstr("wrong FAIL 1.0e-02 output 0: element 3: got 50, want 50.01\n"));
  EXPECT_THAT(exit.out, EndsWith("1 tests: 0 PASS, 1 FAIL, 0 SKIP\n"));

  for (const onnx::TensorProto& output :
       {Floats({2, 2}, {19, NAN, 43, 50}), Floats({2, 2}, {19, 22, INFINITY, 50}), Floats({4}, {19, 22, 43, 50})}) {
    const OpResult result = Product("wrong", output).Run();
    EXPECT_EQ(result.verdict, OpVerdict::kFail);
    EXPECT_EQ(result.max_err, INFINITY);
  }
}

TEST(OpVectorsTest, OneFailureAmongManyDecides) {
  CHECK_OK(RemoveAll(JoinPath(testing::TempDir(), "op_vectors/many")));
  Product("many/b_right", Floats({2, 2}, {19, 22, 43, 50}));
  Product("many/a_wrong", Floats({2, 2}, {0, 22, 43, 50}));
  Folder other("many/c_other");
  other.Node("Frobnicate", 1);
  other.Write({}, {});
  const Exit exit = Main({JoinPath(testing::TempDir(), "op_vectors/many/")});
  EXPECT_EQ(exit.status, 1);
  EXPECT_EQ(exit.out,
            "a_wrong FAIL 1.9e+01 output 0: element 0: got 19, want 0\n"
            "b_right PASS 0\n"
            "c_other SKIP - no operation Frobnicate\n"
            "3 tests: 1 PASS, 1 FAIL, 1 SKIP\n");
}

TEST(OpVectorsTest, SkipsWhatItDoesNotKnow) {
  auto skipped = [](const Folder& folder, const std::string& reason) {
    const OpResult result = folder.Run();
    EXPECT_EQ(result.verdict, OpVerdict::kSkip) << result.reason;
    EXPECT_THAT(result.reason, HasSubstr(reason));
  };
  Folder attribute("attribute");
  attribute.SetInt(attribute.Node("Softmax", 1), "temperature", 2);
  attribute.Write({Floats({1}, {1})}, Floats({1}, {1}));
  skipped(attribute, "no temperature in Softmax");

  Folder escape("escape");
  escape.Node("\x1b[2J\n\xaa", 0);
  escape.Write({}, {});
  skipped(escape, "no operation \\x1b[2J\\n");

  Folder domain("domain");
  domain.Node("Softmax", 1)->set_domain("com.example");
  domain.Write({Floats({1}, {1})}, Floats({1}, {1}));
  skipped(domain, "operators of com.example");

  Folder graph("graph");
  graph.Node("Softmax", 1);
  graph.Node("Softmax", 1);
  graph.Write({Floats({1}, {1})}, Floats({1}, {1}));
  skipped(graph, "a graph of 2 nodes");

  Folder type("type");
  type.Node("Tanh", 1);
  onnx::TensorProto float8 = Floats({1}, {1});
  float8.set_data_type(17);
  type.Write({float8}, Floats({1}, {1}));
  skipped(type, "no dtype float8e4m3fn");

  Folder large("large");  // a column of 2^15 by a row of 2^15
  large.Node("MatMul", 2);
  const std::vector<float> zeros(1 << 15);
  large.Write({Floats({1 << 15, 1}, zeros), Floats({1, 1 << 15}, zeros)}, Floats({1}, {1}));
  skipped(large, "more than 2^26 elements");
}

TEST(OpVectorsTest, MalformedFilesAreNamed) {
  auto refused = [](const Folder& folder, const std::string& file, const std::string& reason) {
    const OpResult result = folder.Run();
    EXPECT_EQ(result.verdict, OpVerdict::kFail);
    EXPECT_THAT(result.reason, HasSubstr(file));
    EXPECT_THAT(result.reason, HasSubstr(reason));
    EXPECT_EQ(Main({folder.path()}).status, 1);
  };
  const onnx::TensorProto output = Floats({2, 2}, {19, 22, 43, 50});
  Folder folder = Product("malformed", output);
  folder.Put("test_data_set_0/input_0.pb", "\xff\xff\xff no protobuf");
  refused(folder, "input_0.pb", "no ONNX tensor");
  folder.Put("test_data_set_0/input_0.pb", "");
  refused(folder, "input_0.pb", "without data_type");
  folder.Put("test_data_set_0/input_0.pb", Floats({2, 2}, {1, 2, 3}).SerializeAsString());
  refused(folder, "input_0.pb", "float[2,2] does not fit the elements");
  folder.Put("test_data_set_0/input_0.pb", Floats({-1, 2}, {1, 2}).SerializeAsString());
  refused(folder, "input_0.pb", "an axis of -1 elements");
  const int64_t huge = int64_t{1} << 32;
  folder.Put("test_data_set_0/input_0.pb", Floats({huge, huge}, {1}).SerializeAsString());
  refused(folder, "input_0.pb", "an axis of 4294967296 elements");
  onnx::TensorProto elsewhere = Floats({2, 2}, {1, 2, 3, 4});
  elsewhere.set_data_location(1);
  folder.Put("test_data_set_0/input_0.pb", elsewhere.SerializeAsString());
  refused(folder, "input_0.pb", "in another file");

  folder = Product("malformed", output);
  CHECK_OK(RemoveAll(JoinPath(folder.path(), "test_data_set_0/output_0.pb")));
  refused(folder, "output_0.pb", "");
  folder.Put("model.onnx", std::string(1000, '\x7f'));
  refused(folder, "model.onnx", "no ONNX model");

  Folder shapes("shapes");
  shapes.Node("MatMul", 2);
  shapes.Write({Floats({2, 2}, {1, 2, 3, 4}), Floats({3}, {5, 6, 7})}, output);
  refused(shapes, "", "inner axes differ");
}

TEST(OpVectorsTest, CastsToBfloat16RoundToEven) {
  Folder folder("bfloat16");
  folder.SetInt(folder.Node("Cast", 1), "to", kOnnxBfloat16);
  onnx::TensorProto output;
  output.set_data_type(kOnnxBfloat16);
  output.add_dims(4);
  for (int bits : {0x3F80, 0x3F80, 0x3F82, 0x7F80}) output.add_int32_data(bits);
  const onnx::TensorProto input = Floats({4}, {1.0f, 1.00390625f, 1.01171875f, INFINITY});
  folder.Write({input}, output);
  EXPECT_EQ(folder.Run().verdict, OpVerdict::kPass) << folder.Run().reason;
  output.set_int32_data(1, 0x3F81);  // the next one up
  folder.Write({input}, output);
  EXPECT_EQ(folder.Run().verdict, OpVerdict::kFail);
}

TEST(OpVectorsTest, ExitStatuses) {
  EXPECT_EQ(Main({"--help"}).status, 0);
  EXPECT_EQ(Main({}).status, 2);
  EXPECT_EQ(Main({"--frobnicate", "x"}).status, 2);
  EXPECT_EQ(Main({"x", "y"}).status, 2);
  EXPECT_EQ(Main({"--isa", "abacus", "x"}).status, 2);
  const Exit missing = Main({JoinPath(testing::TempDir(), "op_vectors/none")});
  EXPECT_EQ(missing.status, 3);
  EXPECT_THAT(missing.err, HasSubstr("op_vectors/none"));
  CHECK_OK(MakeFolders(JoinPath(testing::TempDir(), "op_vectors/empty")));
  const Exit empty = Main({JoinPath(testing::TempDir(), "op_vectors/empty")});
  EXPECT_EQ(empty.status, 3);
  EXPECT_THAT(empty.err, HasSubstr("no operator test in it"));
}

// The tests that others made.
class OnnxFixtures : public testing::Test {
 protected:
  void SetUp() override {
    const std::string fixtures = FixturesFolder();
    if (fixtures.empty()) GTEST_SKIP() << kNoFixtures;
    folder_ = JoinPath(fixtures, "numerics/onnx_node");
    if (!IsFolder(folder_)) GTEST_SKIP() << folder_ << " is not there";
    absl::StatusOr<std::vector<std::string>> tests = FindOpTests(folder_);
    ASSERT_TRUE(tests.ok()) << tests.status();
    tests_ = *tests;
  }
  std::string folder_;
  std::vector<std::string> tests_;
};

TEST_F(OnnxFixtures, PassOnEveryInstructionSet) {
  EXPECT_GE(tests_.size(), 184u);
  const Isa before = CurrentIsa();
  for (Isa isa : AvailableIsas()) {
    SetIsa(isa);
    int passed = 0;
    for (const std::string& test : tests_) {
      const OpResult result = RunOpTest(test);
      passed += result.verdict == OpVerdict::kPass;
      EXPECT_NE(result.verdict, OpVerdict::kFail) << result.name << " on " << Name(isa) << ": " << result.reason;
      EXPECT_EQ(result.verdict == OpVerdict::kPass, result.reason.empty()) << result.name;
    }
    EXPECT_GE(passed, 124) << "what is computed may not shrink";
  }
  SetIsa(before);
}

// Changes one element of a tensor by more than its type's tolerance.
void Spoil(onnx::TensorProto& proto) {
  std::string& raw = *proto.mutable_raw_data();
  auto change = [&raw](auto type, auto by) {
    auto value = type;
    std::memcpy(&value, raw.data(), sizeof(value));
    value = static_cast<decltype(type)>(std::isfinite(static_cast<double>(value)) ? value * by + by : by);
    std::memcpy(raw.data(), &value, sizeof(value));
  };
  switch (proto.data_type()) {
    case kOnnxFloat:
      return change(float{}, 1.001f);
    case kOnnxDouble:
      return change(double{}, 1.001);
    case kOnnxInt64:
      return change(int64_t{}, 2);
    default:  // float16: another exponent
      raw[1] = static_cast<char>(raw[1] ^ 0x08);
  }
}

// What passes with a right expectation fails with a wrong one, output by output.
TEST_F(OnnxFixtures, EveryOutputCounts) {
  int spoiled = 0;
  for (const std::string& test : tests_) {
    if (RunOpTest(test).verdict != OpVerdict::kPass) continue;
    Folder copy("spoiled");
    copy.Put("model.onnx", *ReadFile(JoinPath(test, "model.onnx")));
    const std::string data = JoinPath(test, "test_data_set_0");
    const std::vector<std::string> names = *ListFolder(data);
    for (const std::string& name : names) copy.Put("test_data_set_0/" + name, *ReadFile(JoinPath(data, name)));
    for (const std::string& name : names) {
      if (name.compare(0, 6, "output") != 0) continue;
      const std::string right = *ReadFile(JoinPath(data, name));
      onnx::TensorProto proto;
      ASSERT_TRUE(proto.ParseFromString(right));
      ASSERT_TRUE(proto.has_raw_data()) << test;
      Spoil(proto);
      copy.Put("test_data_set_0/" + name, proto.SerializeAsString());
      EXPECT_EQ(copy.Run().verdict, OpVerdict::kFail) << test << ", " << name;
      copy.Put("test_data_set_0/" + name, right);
      ++spoiled;
    }
  }
  EXPECT_GE(spoiled, 124);
}

}  // namespace
}  // namespace quern
