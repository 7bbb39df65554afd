// Every differentiable operation against numeric derivatives, a line each: its name, what to call, the inputs' shapes.
// What the check also demands stands in autograd/grad_check.h. A test fails when an operation of autograd/functions.h
// has no line here.
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "autograd/functions.h"
#include "autograd/grad_check.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

using In = std::vector<Var>;

struct OpCase {
  std::string name;  // OPERATION or OPERATION_what
  std::function<Var(const In&)> fn;
  std::vector<Shape> shapes;
  GradCheckOptions options = {};
};

constexpr WeightLayout kOutIn = WeightLayout::kOutIn, kInOut = WeightLayout::kInOut;
constexpr RopePairing kHalves = RopePairing::kHalves, kInterleaved = RopePairing::kInterleaved;

Tensor Ids(const std::vector<int32_t>& ids) { return Tensor::Of(ids, {static_cast<int64_t>(ids.size())}); }

RopeTable Rotations() { return MakeRopeTable(16, {1.0, 0.3, 0.1, 0.02}); }

// Lengths 1, 70 and 5: more than one block of keys, and unequal.
Var Attend(const In& in) {
  static const std::vector<int32_t> starts = {0, 1, 71, 76};
  return Attention(in[0], in[1], in[2], {starts, {}, {}, {}}, 0.5f);
}

DropoutDraw Draw() { return {.key = {7, RngStream::kDropout}, .step = 3, .micro_batch = 1, .first_element = 8}; }

Var Loss(const Var& logits, float scale) { return CrossEntropy(logits, Ids({3, -100, 0, 6}), scale); }

// clang-format off
const std::vector<OpCase>& Cases() {
  static const auto* cases = new std::vector<OpCase>{
      {"Add", [](const In& in) { return Add(in[0], in[1]); }, {{3, 5}, {3, 5}}},
      {"Add_row", [](const In& in) { return Add(in[0], in[1]); }, {{2, 3, 5}, {5}}},
      {"Add_matrix", [](const In& in) { return Add(in[0], in[1]); }, {{2, 3, 5}, {3, 5}}},
      {"Add_scalar", [](const In& in) { return Add(in[0], in[1]); }, {{2, 3}, {}}},
      {"Mul", [](const In& in) { return Mul(in[0], in[1]); }, {{3, 5}, {3, 5}}},
      {"Mul_row", [](const In& in) { return Mul(in[0], in[1]); }, {{2, 3, 5}, {5}}},
      {"Mul_matrix", [](const In& in) { return Mul(in[0], in[1]); }, {{2, 3, 5}, {3, 5}}},
      {"Mul_itself", [](const In& in) { return Mul(in[0], in[0]); }, {{3, 5}}},
      {"Scale", [](const In& in) { return Scale(in[0], -1.5f); }, {{3, 5}}},

      {"Linear_out_in", [](const In& in) { return Linear(in[0], in[1], kOutIn, in[2]); }, {{5, 7}, {19, 7}, {19}}},
      {"Linear_out_in_no_bias", [](const In& in) { return Linear(in[0], in[1], kOutIn, Var()); }, {{5, 7}, {19, 7}}},
      {"Linear_in_out", [](const In& in) { return Linear(in[0], in[1], kInOut, in[2]); }, {{5, 7}, {7, 19}, {19}}},
      {"Linear_in_out_no_bias", [](const In& in) { return Linear(in[0], in[1], kInOut, Var()); }, {{5, 7}, {7, 19}}},
      {"Linear_three_axes", [](const In& in) { return Linear(in[0], in[1], kOutIn, in[2]); }, {{2, 3, 7}, {4, 7}, {4}}},
      {"Linear_of_a_slice", [](const In& in) { return Linear(SliceColumns(in[0], 2, 9), in[1], kInOut, in[2]); }, {{5, 12}, {7, 4}, {4}}},
      {"Linear_residual", [](const In& in) { return Linear(in[0], in[1], kOutIn, in[2], nullptr, in[3]); }, {{5, 7}, {19, 7}, {19}, {5, 19}}},
      {"Linear_residual_is_x", [](const In& in) { return Linear(in[0], in[1], kInOut, Var(), nullptr, in[0]); }, {{5, 7}, {7, 7}}},
      {"Matmul_NN", [](const In& in) { return Matmul(MatmulKind::kNN, in[0], in[1]); }, {{5, 7}, {7, 9}}},
      {"Matmul_NT", [](const In& in) { return Matmul(MatmulKind::kNT, in[0], in[1]); }, {{5, 7}, {9, 7}}},
      {"Matmul_TN", [](const In& in) { return Matmul(MatmulKind::kTN, in[0], in[1]); }, {{7, 5}, {7, 9}}},

      {"Embedding", [](const In& in) { return Embedding(in[0], Ids({4, 0, 4, 2})); }, {{6, 5}}},

      {"RmsNorm", [](const In& in) { return RmsNorm(in[0], in[1], 1e-5f); }, {{4, 19}, {19}}},
      {"RmsNorm_of_a_slice", [](const In& in) { return RmsNorm(Reshape(SliceColumns(in[0], 4, 20), {3, 2, 8}), in[1], 1e-5f); }, {{3, 24}, {8}}},
      {"LayerNorm", [](const In& in) { return LayerNorm(in[0], in[1], in[2], 1e-5f); }, {{4, 19}, {19}, {19}}},
      {"LayerNorm_no_bias", [](const In& in) { return LayerNorm(in[0], in[1], Var(), 1e-5f); }, {{4, 19}, {19}}},
      {"LayerNorm_three_axes", [](const In& in) { return LayerNorm(in[0], in[1], in[2], 1e-5f); }, {{2, 3, 6}, {6}, {6}}},

      {"Gelu_erf", [](const In& in) { return Gelu(Scale(in[0], 3), GeluKind::kErf); }, {{6, 9}}},
      {"Gelu_tanh", [](const In& in) { return Gelu(Scale(in[0], 3), GeluKind::kTanh); }, {{6, 9}}},
      {"Gelu_of_a_slice", [](const In& in) { return Gelu(SliceColumns(in[0], 1, 8), GeluKind::kErf); }, {{6, 9}}},
      {"Silu_of_a_slice", [](const In& in) { return Silu(SliceColumns(in[0], 1, 8)); }, {{6, 9}}},
      {"Silu", [](const In& in) { return Silu(Scale(in[0], 3)); }, {{6, 9}}},
      {"SwiGlu", [](const In& in) { return SwiGlu(in[0], in[1]); }, {{6, 9}, {6, 9}}},
      {"SwiGlu_of_slices", [](const In& in) { return SwiGlu(SliceColumns(in[0], 0, 9), SliceColumns(in[0], 9, 18)); }, {{6, 18}}},
      {"Dropout", [](const In& in) { return Dropout(in[0], 0.4f, Draw()); }, {{6, 9}}},
      {"Dropout_of_nothing", [](const In& in) { return Scale(Dropout(in[0], 0, Draw()), 2); }, {{6, 9}}},

      {"Softmax", [](const In& in) { return Softmax(in[0]); }, {{3, 19}}},
      {"LogSoftmax", [](const In& in) { return LogSoftmax(in[0]); }, {{3, 19}}},

      {"Rope_halves", [](const In& in) { return Rope(in[0], {0, 3, 15}, Rotations(), kHalves); }, {{3, 2, 8}}},
      {"Rope_interleaved", [](const In& in) { return Rope(in[0], {0, 3, 15}, Rotations(), kInterleaved); }, {{3, 2, 8}}},
      {"Rope_of_a_slice", [](const In& in) { return Rope(Reshape(SliceColumns(in[0], 4, 20), {3, 2, 8}), {1, 0, 9}, Rotations(), kHalves); }, {{3, 24}}},

      {"Attention", Attend, {{76, 2, 16}, {76, 2, 16}, {76, 2, 16}}},
      {"Attention_grouped", Attend, {{76, 6, 8}, {76, 2, 8}, {76, 2, 8}}},
      {"Attention_one_key_head_odd_width", Attend, {{76, 3, 5}, {76, 1, 5}, {76, 1, 5}}},

      {"Reshape", [](const In& in) { return Scale(Reshape(in[0], {5, 2, 3}), 2); }, {{6, 5}}},
      {"SliceColumns", [](const In& in) { return Scale(SliceColumns(in[0], 1, 4), 2); }, {{6, 5}}},
      {"SelectRows", [](const In& in) { return SelectRows(in[0], {0, 2, 5}); }, {{6, 5}}},
      {"Sum", [](const In& in) { return Sum(Mul(in[0], in[0])); }, {{6, 5}}},
      {"Mean", [](const In& in) { return Mean(Mul(in[0], in[0])); }, {{6, 5}}},

      {"CrossEntropy", [](const In& in) { return Loss(in[0], 1); }, {{4, 9}}},
      {"CrossEntropy_in_place", [](const In& in) { return Loss(Scale(in[0], 4), 1.0f / 3); }, {{4, 9}}},
      {"CrossEntropy_of_a_head", [](const In& in) { return Loss(Linear(in[0], in[1], kOutIn, Var()), 0.5f); }, {{4, 6}, {9, 6}}},
  };
  return *cases;
}
// clang-format on

class OpCases : public testing::TestWithParam<OpCase> {};

TEST_P(OpCases, GradientMatchesTheNumericOne) {
  std::vector<Tensor> inputs;
  for (const Shape& shape : GetParam().shapes) inputs.push_back(RandomTensor(shape, 11 + inputs.size()));
  ForEachIsa([&](Isa) { EXPECT_TRUE(GradientsMatch(GetParam().fn, inputs, GetParam().options)); });
}

INSTANTIATE_TEST_SUITE_P(All, OpCases, testing::ValuesIn(Cases()), [](const auto& info) { return info.param.name; });

// A check that cannot fail proves nothing.
TEST(GradCheckTest, FindsAWrongGradient) {
  auto wrong_by = [](float factor) {
    return [factor](const In& in) {
      return Record("Wrong", Mul(in[0].value(), in[1].value()), {in[0], in[1]},
                    [factor, a = in[0].value(), b = in[1].value()](const Tensor& dy, Grads& out) {
                      if (out[0].wanted()) out[0].Give(Mul(dy, b));
                      if (out[1].wanted()) out[1].Give(Scale(Mul(dy, a), factor));
                    });
    };
  };
  std::vector<Tensor> inputs = {RandomTensor({3, 4}, 1), RandomTensor({3, 4}, 2)};
  EXPECT_TRUE(GradientsMatch(wrong_by(1), inputs));
  EXPECT_FALSE(GradientsMatch(wrong_by(1.01f), inputs));
  EXPECT_FALSE(GradientsMatch(wrong_by(-1), inputs));
}

TEST(OpCasesTest, EveryOperationHasALine) {
  absl::StatusOr<std::string> header = ReadFile("autograd/functions.h");
  ASSERT_TRUE(header.ok()) << header.status();
  int operations = 0;
  for (size_t at = header->find("\nVar "); at != std::string::npos; at = header->find("\nVar ", at + 1)) {
    std::string name = header->substr(at + 5, header->find('(', at) - at - 5);
    bool found = false;
    for (const OpCase& c : Cases()) found = found || c.name == name || c.name.starts_with(name + "_");
    EXPECT_TRUE(found) << name << ": add its line to Cases()";
    ++operations;
  }
  EXPECT_GE(operations, 20);
}

}  // namespace
}  // namespace quern
