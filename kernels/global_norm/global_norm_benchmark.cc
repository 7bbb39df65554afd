#include "kernels/global_norm/global_norm.h"

#include "kernels/benchmark.h"
#include "kernels/benchmark_eigen.h"
#include "kernels/testing.h"

namespace quern {
namespace {

BenchmarkCase Norm(int64_t elements) {
  BenchmarkCase c;
  c.name = std::to_string(elements);
  c.bytes = 4.0 * static_cast<double>(elements);
  c.written = 0;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor x = RandomTensor({elements}, 1), squares = Tensor::Empty({elements / 4096}, DType::kF32);
    self.run = [=] { GlobalNorm(x); };
    EigenArgs args{};
    args.a = x.data<float>();
    args.second = squares.mutable_data<float>();
    args.cols = 4096;
    self.opponents = {EigenOpponent(EigenOp::kSquaredNorm, args, elements / args.cols, {x, squares})};
  };
  return c;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) {
  return quern::BenchmarkMain(argc, argv, "global_norm", [] {
    return std::vector<quern::BenchmarkCase>{quern::Norm(200 * 4096), quern::Norm(31 << 20)};
  });
}
