#include "kernels/cross_entropy/cross_entropy.h"

#include <vector>

#include "kernels/benchmark.h"
#include "kernels/benchmark_eigen.h"
#include "kernels/testing.h"

namespace quern {
namespace {

std::string Text(int64_t rows, int64_t cols) { return std::to_string(rows) + "x" + std::to_string(cols); }

Tensor SomeTargets(int64_t rows, int64_t cols) {
  std::vector<int32_t> targets;
  for (int64_t n = 0; n < rows; ++n) targets.push_back(static_cast<int32_t>(n * 37 % cols));
  return Tensor::Of(targets, {rows});
}

BenchmarkCase Losses(int64_t rows, int64_t cols) {
  BenchmarkCase c;
  c.name = "loss " + Text(rows, cols);
  c.bytes = 4.0 * static_cast<double>(rows * cols);
  c.written = 0;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor logits = RandomTensor({rows, cols}, 1, 5.0f), targets = SomeTargets(rows, cols);
    Tensor losses = Tensor::Empty({rows}, DType::kF32);
    self.run = [=] { CrossEntropy(logits, targets); };
    EigenArgs args{};
    args.a = logits.data<float>();
    args.ids = targets.data<int32_t>();
    args.second = losses.mutable_data<float>();
    args.cols = cols;
    self.opponents = {EigenOpponent(EigenOp::kCrossEntropy, args, rows, {logits, targets, losses})};
  };
  return c;
}

// Again and again in place: what the logits are does not change how long it takes.
BenchmarkCase InPlace(int64_t rows, int64_t cols) {
  BenchmarkCase c;
  c.name = "loss and gradient " + Text(rows, cols);
  c.bytes = 8.0 * static_cast<double>(rows * cols);
  c.written = c.bytes / 2;
  c.footprint = c.bytes / 2;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor logits = RandomTensor({rows, cols}, 1, 5.0f), targets = SomeTargets(rows, cols);
    self.run = [=]() mutable { CrossEntropyInPlace(logits, targets, 0.125f); };
  };
  return c;
}

std::vector<BenchmarkCase> Cases() {
  return {Losses(768, 65), Losses(256, 50257), InPlace(768, 65), InPlace(256, 50257)};
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) { return quern::BenchmarkMain(argc, argv, "cross_entropy", quern::Cases); }
