#include "kernels/reduce/reduce.h"

#include <utility>

#include "kernels/benchmark.h"
#include "kernels/benchmark_eigen.h"
#include "kernels/testing.h"

namespace quern {
namespace {

struct Operation {
  const char* name;
  std::function<void(const Tensor& x)> run;
  EigenOp eigen;
};

void SumRowsOnto(const Tensor& x, const Tensor& out) {
  Slot slot(out);
  SumRows(x, slot);
}

BenchmarkCase Case(const Operation& operation, int64_t rows, int64_t cols) {
  BenchmarkCase c;
  c.name = std::string(operation.name) + " " + std::to_string(rows) + "x" + std::to_string(cols);
  c.bytes = 4.0 * static_cast<double>(rows * cols);
  c.written = 0;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor x = RandomTensor({rows, cols}, 1), out = Tensor::Zeros({rows + cols}, DType::kF32),
           ids = Tensor::Zeros({rows}, DType::kI32);
    self.run = [=] { operation.run(x); };
    if (operation.eigen == EigenOp::kSumRows) self.run = [=, to = out.Slice(0, 0, cols)] { SumRowsOnto(x, to); };
    EigenArgs args{};
    args.a = x.data<float>();
    args.second = out.mutable_data<float>();
    args.ids_out = ids.mutable_data<int32_t>();
    args.cols = cols;
    const bool serial = operation.eigen == EigenOp::kSumRows;
    self.opponents = {EigenOpponent(operation.eigen, args, rows, {x, out, ids}, serial)};
  };
  return c;
}

std::vector<BenchmarkCase> Cases() {
  const std::vector<Operation> operations = {{"sum", [](const Tensor& x) { Sum(x); }, EigenOp::kSum},
                                             {"max", [](const Tensor& x) { Max(x); }, EigenOp::kMax},
                                             {"argmax", [](const Tensor& x) { ArgMaxRows(x); }, EigenOp::kArgMax},
                                             {"sum rows", nullptr, EigenOp::kSumRows}};
  std::vector<BenchmarkCase> cases;
  for (auto [rows, cols] : {std::pair<int64_t, int64_t>{768, 512}, {256, 3072}, {8192, 3072}}) {
    for (const Operation& operation : operations) cases.push_back(Case(operation, rows, cols));
  }
  cases.push_back(Case(operations[2], 16, 50257));
  return cases;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) { return quern::BenchmarkMain(argc, argv, "reduce", quern::Cases); }
