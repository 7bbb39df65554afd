#include "kernels/layer_norm/layer_norm.h"

#include <utility>

#include "kernels/benchmark.h"
#include "kernels/benchmark_eigen.h"
#include "kernels/testing.h"

namespace quern {
namespace {

struct Inputs {
  Tensor x, dy, weight, bias, y;
};

Inputs MakeInputs(int64_t rows, int64_t cols) {
  return {RandomTensor({rows, cols}, 1), RandomTensor({rows, cols}, 2), RandomTensor({cols}, 3),
          RandomTensor({cols}, 4), Tensor::Empty({rows, cols}, DType::kF32)};
}

EigenArgs ArgsOf(Inputs& in) {
  EigenArgs args{};
  args.row = in.weight.data<float>();
  args.bias = in.bias.data<float>();
  args.y = in.y.mutable_data<float>();
  args.cols = in.x.dim(1);
  return args;
}

std::string Text(int64_t rows, int64_t cols) { return std::to_string(rows) + "x" + std::to_string(cols); }

BenchmarkCase Forward(int64_t rows, int64_t cols) {
  BenchmarkCase c;
  c.name = "forward " + Text(rows, cols);
  c.bytes = 8.0 * static_cast<double>(rows * cols);
  c.written = c.bytes / 2;
  c.footprint = c.bytes * 1.5;
  c.prepare = [=](BenchmarkCase& self) {
    Inputs in = MakeInputs(rows, cols);
    self.run = [=] { LayerNorm(in.x, in.weight, in.bias, 1e-5f); };
    EigenArgs args = ArgsOf(in);
    args.a = in.x.data<float>();
    self.opponents = {EigenOpponent(EigenOp::kLayerNorm, args, rows, {in.x, in.weight, in.bias, in.y})};
  };
  return c;
}

BenchmarkCase Backward(int64_t rows, int64_t cols) {
  BenchmarkCase c;
  c.name = "backward " + Text(rows, cols);
  c.bytes = 12.0 * static_cast<double>(rows * cols);
  c.written = c.bytes / 3;
  c.footprint = c.bytes * 4 / 3;
  c.prepare = [=](BenchmarkCase& self) {
    Inputs in = MakeInputs(rows, cols);
    LayerNormResult forward = LayerNorm(in.x, in.weight, in.bias, 1e-5f);
    Tensor dx = Tensor::Empty({rows, cols}, DType::kF32), dweight = Tensor::Zeros({cols}, DType::kF32),
           dbias = dweight.Clone();
    self.run = [=] {
      Slot to_dx(dx), to_dweight(dweight, /*accumulate=*/true), to_dbias(dbias, /*accumulate=*/true);
      LayerNormBackward(in.dy, in.x, in.weight, forward.mean, forward.rstd, to_dx, to_dweight, to_dbias);
    };
    EigenArgs args = ArgsOf(in);
    args.a = in.dy.data<float>();
    args.b = in.x.data<float>();
    args.second = dweight.mutable_data<float>();
    args.third = dbias.mutable_data<float>();
    self.opponents = {EigenOpponent(EigenOp::kLayerNormBackward, args, rows,
                                    {in.x, in.dy, in.weight, in.bias, in.y, dweight, dbias}, /*serial=*/true)};
  };
  return c;
}

std::vector<BenchmarkCase> Cases() {
  std::vector<BenchmarkCase> cases;
  for (auto [rows, cols] : {std::pair<int64_t, int64_t>{768, 128}, {256, 768}, {4096, 2048}}) {
    cases.push_back(Forward(rows, cols));
    cases.push_back(Backward(rows, cols));
  }
  return cases;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) { return quern::BenchmarkMain(argc, argv, "layer_norm", quern::Cases); }
