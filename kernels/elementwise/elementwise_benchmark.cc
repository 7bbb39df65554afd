#include "kernels/elementwise/elementwise.h"

#include <optional>
#include <utility>

#include "kernels/benchmark.h"
#include "kernels/benchmark_eigen.h"
#include "kernels/testing.h"

namespace quern {
namespace {

struct Operands {
  Tensor a, b, c, row, out;  // c = Gelu(b, kErf)
};

// `read` and `written` count floats per element. What Eigen lacks has no opponent.
struct Operation {
  const char* name;
  int read, written;
  std::function<void(Operands&)> run;
  std::optional<EigenOp> eigen;
};

const std::vector<Operation>& Operations() {
  static const auto* operations = new std::vector<Operation>{
      {"add", 2, 1, [](Operands& o) { Add(o.a, o.b); }, EigenOp::kAdd},
      {"add into", 2, 1, [](Operands& o) { AddInto(o.out, o.a); }, {}},
      {"add row", 1, 1, [](Operands& o) { AddRow(o.a, o.row); }, EigenOp::kAddRow},
      {"scale", 1, 1, [](Operands& o) { Scale(o.a, 0.3f); }, EigenOp::kScale},
      {"fill", 0, 1, [](Operands& o) { Fill(o.out, 1.0f); }, {}},
      {"gelu tanh", 1, 1, [](Operands& o) { Gelu(o.a, GeluKind::kTanh); }, EigenOp::kGeluTanh},
      {"gelu erf", 1, 1, [](Operands& o) { Gelu(o.a, GeluKind::kErf); }, {}},
      {"gelu tanh backward", 2, 1,
       [](Operands& o) {
         Slot dx(o.out);
         GeluBackward(o.a, o.b, o.c, GeluKind::kTanh, dx);
       },
       EigenOp::kGeluTanhBackward},
      {"gelu erf backward",
       3,
       1,
       [](Operands& o) {
         Slot dx(o.out);
         GeluBackward(o.a, o.b, o.c, GeluKind::kErf, dx);
       },
       {}},
      {"silu", 1, 1, [](Operands& o) { Silu(o.a); }, EigenOp::kSilu},
      {"swiglu", 2, 1, [](Operands& o) { SwiGlu(o.a, o.b); }, EigenOp::kSwiGlu},
      {"dropout", 1, 1, [](Operands& o) { Dropout(o.a, 0.1f, {}); }, {}},
  };
  return *operations;
}

BenchmarkCase Case(const Operation& operation, int64_t rows, int64_t cols) {
  BenchmarkCase c;
  c.name = std::string(operation.name) + " " + std::to_string(rows) + "x" + std::to_string(cols);
  const double floats = static_cast<double>(rows * cols);
  c.bytes = 4 * floats * (operation.read + operation.written);
  c.written = 4 * floats * operation.written;
  c.footprint = c.bytes + (operation.eigen ? 4 * floats : 0);
  c.prepare = [=](BenchmarkCase& self) {
    Operands o{RandomTensor({rows, cols}, 1, 3.0f), RandomTensor({rows, cols}, 2, 3.0f), Tensor(),
               RandomTensor({cols}, 3), Tensor::Zeros({rows, cols}, DType::kF32)};
    o.c = Gelu(o.b, GeluKind::kErf);
    self.run = [o, run = operation.run]() mutable { run(o); };
    if (!operation.eigen) return;
    EigenArgs args{};
    args.a = o.a.data<float>();
    args.b = o.b.data<float>();
    args.row = o.row.data<float>();
    args.y = o.out.mutable_data<float>();
    args.factor = 0.3f;
    args.cols = cols;
    self.opponents = {EigenOpponent(*operation.eigen, args, rows, {o.a, o.b, o.row, o.out})};
  };
  return c;
}

BenchmarkCase Casting(int64_t elements, DType from, DType to) {
  BenchmarkCase c;
  c.name = std::string("cast to ") + (to == DType::kBF16 ? "bf16 " : "f32 ") + std::to_string(elements);
  c.bytes = 6.0 * static_cast<double>(elements);
  c.written = (to == DType::kBF16 ? 2.0 : 4.0) * static_cast<double>(elements);
  c.prepare = [=](BenchmarkCase& self) {
    Tensor x = RandomTensor({elements}, 1);
    self.run = [x = from == DType::kBF16 ? Cast(x, from) : x, to] { Cast(x, to); };
  };
  return c;
}

std::vector<BenchmarkCase> Cases() {
  std::vector<BenchmarkCase> cases;
  // The hidden layer of nanoGPT's CPU recipe, that of GPT-2 124M at 4 x 64 tokens, and beyond any cache.
  for (auto [rows, cols] : {std::pair<int64_t, int64_t>{768, 512}, {256, 3072}, {8192, 3072}}) {
    for (const Operation& operation : Operations()) cases.push_back(Case(operation, rows, cols));
  }
  for (int64_t elements : {1 << 20, 1 << 25}) {
    cases.push_back(Casting(elements, DType::kF32, DType::kBF16));
    cases.push_back(Casting(elements, DType::kBF16, DType::kF32));
  }
  return cases;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) { return quern::BenchmarkMain(argc, argv, "elementwise", quern::Cases); }
