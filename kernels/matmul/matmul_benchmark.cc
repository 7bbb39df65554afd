#include "kernels/matmul/matmul.h"

#include "kernels/benchmark.h"
#include "kernels/testing.h"

int main(int argc, char** argv) {
  return quern::BenchmarkMain(argc, argv, "matmul", [] {
    quern::Tensor a = quern::RandomTensor({512, 512}, 1), b = quern::RandomTensor({512, 512}, 2);
    quern::BenchmarkCase c;
    c.name = "NN 512x512x512";
    c.flops = 2.0 * 512 * 512 * 512;
    c.run = [=] { quern::Matmul(quern::MatmulKind::kNN, a, b); };
    return std::vector<quern::BenchmarkCase>{c};
  });
}
