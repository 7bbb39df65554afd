#include "kernels/adamw/adamw.h"

#include "kernels/benchmark.h"
#include "kernels/benchmark_eigen.h"
#include "kernels/testing.h"

namespace quern {
namespace {

// Reads weight, moments and gradient; writes weight and moments (and a rounded copy).
BenchmarkCase Step(int64_t elements, DType parameter_dtype) {
  const bool rounded = parameter_dtype == DType::kBF16;
  BenchmarkCase c;
  c.name = "step " + std::to_string(elements) + (rounded ? " to bf16" : "");
  const double n = static_cast<double>(elements);
  c.written = (rounded ? 14 : 12) * n;
  c.bytes = 16 * n + c.written;
  c.footprint = (rounded ? 18 : 28) * n;  // in place; Eigen has a weight and moments of its own
  c.prepare = [=](BenchmarkCase& self) {
    Tensor master = RandomTensor({elements}, 1), grad = RandomTensor({elements}, 2, 0.1f);
    Tensor m = Tensor::Zeros({elements}, DType::kF32), v = Tensor::Zeros({elements}, DType::kF32);
    Tensor parameter = rounded ? Tensor::Empty({elements}, DType::kBF16) : master;
    self.run = [=]() mutable { AdamW({}, parameter, master, m, v, grad); };
    if (rounded) return;
    Tensor w2 = master.Clone(), m2 = m.Clone(), v2 = v.Clone();
    EigenArgs args{};
    args.a = grad.data<float>();
    args.y = w2.mutable_data<float>();
    args.second = m2.mutable_data<float>();
    args.third = v2.mutable_data<float>();
    args.cols = 1024;
    self.opponents = {EigenOpponent(EigenOp::kAdamW, args, elements / args.cols, {grad, w2, m2, v2})};
  };
  return c;
}

std::vector<BenchmarkCase> Cases() {
  // nanoGPT's CPU recipe; a quarter of GPT-2 124M.
  return {Step(809984, DType::kF32), Step(31 << 20, DType::kF32), Step(31 << 20, DType::kBF16)};
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) { return quern::BenchmarkMain(argc, argv, "adamw", quern::Cases); }
