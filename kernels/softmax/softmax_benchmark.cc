#include "kernels/softmax/softmax.h"

#include <utility>

#include "kernels/benchmark.h"
#include "kernels/benchmark_eigen.h"
#include "kernels/testing.h"

namespace quern {
namespace {

std::string Text(int64_t rows, int64_t cols) { return std::to_string(rows) + "x" + std::to_string(cols); }

BenchmarkCase Forward(int64_t rows, int64_t cols, bool log) {
  BenchmarkCase c;
  c.name = std::string(log ? "log softmax " : "softmax ") + Text(rows, cols);
  c.bytes = 8.0 * static_cast<double>(rows * cols);
  c.written = c.bytes / 2;
  c.footprint = log ? c.bytes : c.bytes * 1.5;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor x = RandomTensor({rows, cols}, 1, 5.0f), y = Tensor::Empty({rows, cols}, DType::kF32);
    self.run = [=] { log ? LogSoftmax(x) : Softmax(x); };
    if (log) return;
    EigenArgs args{};
    args.a = x.data<float>();
    args.y = y.mutable_data<float>();
    args.cols = cols;
    self.opponents = {EigenOpponent(EigenOp::kSoftmax, args, rows, {x, y})};
  };
  return c;
}

BenchmarkCase Backward(int64_t rows, int64_t cols, bool log) {
  BenchmarkCase c;
  c.name = std::string(log ? "log softmax backward " : "softmax backward ") + Text(rows, cols);
  c.bytes = 12.0 * static_cast<double>(rows * cols);
  c.written = c.bytes / 3;
  c.prepare = [=](BenchmarkCase& self) {
    Tensor dy = RandomTensor({rows, cols}, 1), x = RandomTensor({rows, cols}, 2, 5.0f),
           y = log ? LogSoftmax(x) : Softmax(x), dx = Tensor::Empty({rows, cols}, DType::kF32);
    self.run = [=] {
      Slot slot(dx);
      log ? LogSoftmaxBackward(dy, y, slot) : SoftmaxBackward(dy, y, slot);
    };
    if (log) return;
    EigenArgs args{};
    args.a = dy.data<float>();
    args.b = y.data<float>();
    args.y = dx.mutable_data<float>();
    args.cols = cols;
    self.opponents = {EigenOpponent(EigenOp::kSoftmaxBackward, args, rows, {dy, y, dx})};
  };
  return c;
}

std::vector<BenchmarkCase> Cases() {
  std::vector<BenchmarkCase> cases;
  for (auto [rows, cols] : {std::pair<int64_t, int64_t>{768, 65}, {3072, 1024}, {256, 50257}}) {
    for (bool log : {false, true}) {
      cases.push_back(Forward(rows, cols, log));
      cases.push_back(Backward(rows, cols, log));
    }
  }
  return cases;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) { return quern::BenchmarkMain(argc, argv, "softmax", quern::Cases); }
