#include "kernels/rms_norm/rms_norm.h"

#include <utility>

#include "kernels/benchmark.h"
#include "kernels/benchmark_eigen.h"
#include "kernels/testing.h"

namespace quern {
namespace {

std::string Text(int64_t rows, int64_t cols) { return std::to_string(rows) + "x" + std::to_string(cols); }

BenchmarkCase Forward(int64_t rows, int64_t cols) {
  BenchmarkCase c;
  c.name = "forward " + Text(rows, cols);
  c.bytes = 8.0 * static_cast<double>(rows * cols);
  c.written = c.bytes / 2;
  c.footprint = c.bytes * 1.5;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor x = RandomTensor({rows, cols}, 1), weight = RandomTensor({cols}, 2),
           y = Tensor::Empty({rows, cols}, DType::kF32);
    self.run = [=] { RmsNorm(x, weight, 1e-5f); };
    EigenArgs args{};
    args.a = x.data<float>();
    args.row = weight.data<float>();
    args.y = y.mutable_data<float>();
    args.cols = cols;
    self.opponents = {EigenOpponent(EigenOp::kRmsNorm, args, rows, {x, weight, y})};
  };
  return c;
}

BenchmarkCase Backward(int64_t rows, int64_t cols) {
  BenchmarkCase c;
  c.name = "backward " + Text(rows, cols);
  c.bytes = 12.0 * static_cast<double>(rows * cols);
  c.written = c.bytes / 3;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor x = RandomTensor({rows, cols}, 1), weight = RandomTensor({cols}, 2), dy = RandomTensor({rows, cols}, 3);
    Tensor rstd = RmsNorm(x, weight, 1e-5f).rstd, dx = Tensor::Empty({rows, cols}, DType::kF32),
           dweight = Tensor::Empty({cols}, DType::kF32);
    self.run = [=] {
      Slot to_dx(dx), to_dweight(dweight);
      RmsNormBackward(dy, x, weight, rstd, to_dx, to_dweight);
    };
  };
  return c;
}

std::vector<BenchmarkCase> Cases() {
  std::vector<BenchmarkCase> cases;
  for (auto [rows, cols] : {std::pair<int64_t, int64_t>{256, 768}, {2048, 2048}}) {
    cases.push_back(Forward(rows, cols));
    cases.push_back(Backward(rows, cols));
  }
  return cases;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) { return quern::BenchmarkMain(argc, argv, "rms_norm", quern::Cases); }
