#include "kernels/rms_norm/rms_norm.h"

#include <eigen3/Eigen/Core>

#include "kernels/benchmark.h"
#include "kernels/testing.h"

namespace quern {
namespace {

using Matrix = Eigen::Map<Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

BenchmarkCase Forward(int64_t rows, int64_t cols) {
  Tensor x = RandomTensor({rows, cols}, 1), weight = RandomTensor({cols}, 2),
         y = Tensor::Empty({rows, cols}, DType::kF32);
  BenchmarkCase c;
  c.name = "forward " + std::to_string(rows) + "x" + std::to_string(cols);
  c.bytes = 8.0 * static_cast<double>(rows * cols);
  c.run = [=] { RmsNorm(x, weight, 1e-5f); };
  c.opponents.emplace_back("eigen", [=]() mutable {
    Matrix xs(const_cast<float*>(x.data<float>()), rows, cols), ys(y.mutable_data<float>(), rows, cols);
    Eigen::Map<Eigen::Array<float, 1, Eigen::Dynamic>> w(const_cast<float*>(weight.data<float>()), cols);
    for (int64_t n = 0; n < rows; ++n) ys.row(n) = xs.row(n) * w / std::sqrt(xs.row(n).square().mean() + 1e-5f);
  });
  return c;
}

BenchmarkCase Backward(int64_t rows, int64_t cols) {
  Tensor x = RandomTensor({rows, cols}, 1), weight = RandomTensor({cols}, 2), dy = RandomTensor({rows, cols}, 3);
  Tensor rstd = RmsNorm(x, weight, 1e-5f).rstd, dx = Tensor::Empty({rows, cols}, DType::kF32),
         dw = Tensor::Empty({cols}, DType::kF32);
  BenchmarkCase c;
  c.name = "backward " + std::to_string(rows) + "x" + std::to_string(cols);
  c.bytes = 12.0 * static_cast<double>(rows * cols);
  c.run = [=] {
    Slot to_dx(dx), to_dw(dw);
    RmsNormBackward(dy, x, weight, rstd, to_dx, to_dw);
  };
  return c;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) {
  return quern::BenchmarkMain(argc, argv, "rms_norm", [] {
    return std::vector<quern::BenchmarkCase>{quern::Forward(256, 768), quern::Forward(2048, 2048),
                                             quern::Backward(256, 768), quern::Backward(2048, 2048)};
  });
}
