#include "kernels/rope/rope.h"

#include <cmath>
#include <string>

#include "kernels/benchmark.h"
#include "kernels/testing.h"

namespace quern {
namespace {

// What one writes first: a pair at a time, from the same table.
void PlainLoops(const Tensor& x, const std::vector<int32_t>& positions, const RopeTable& table, float* y) {
  int64_t heads = x.dim(1), dim = x.dim(2), half = dim / 2;
  for (int64_t n = 0; n < x.dim(0); ++n) {
    const float *cos = table.cos.data<float>() + positions[n] * half,
                *sin = table.sin.data<float>() + positions[n] * half;
    for (int64_t h = 0; h < heads; ++h) {
      const float* from = x.data<float>() + (n * heads + h) * dim;
      float* to = y + (n * heads + h) * dim;
      for (int64_t i = 0; i < half; ++i) {
        to[i] = from[i] * cos[i] - from[i + half] * sin[i];
        to[i + half] = from[i + half] * cos[i] + from[i] * sin[i];
      }
    }
  }
}

BenchmarkCase Forward(int64_t tokens, int64_t heads, int64_t dim, RopePairing pairing) {
  std::vector<double> frequencies;
  for (int64_t i = 0; i < dim / 2; ++i) frequencies.push_back(std::pow(10000.0, -2.0 * i / static_cast<double>(dim)));
  RopeTable table = MakeRopeTable(tokens, frequencies);
  std::vector<int32_t> positions;
  for (int64_t n = 0; n < tokens; ++n) positions.push_back(static_cast<int32_t>(n));
  Tensor x = RandomTensor({tokens, heads, dim}, 1), y = Tensor::Empty({tokens, heads, dim}, DType::kF32);
  BenchmarkCase c;
  c.name = std::string(pairing == RopePairing::kHalves ? "halves " : "interleaved ") + std::to_string(tokens) + "x" +
           std::to_string(heads) + "x" + std::to_string(dim);
  c.bytes = 4.0 * static_cast<double>(2 * tokens * heads * dim + tokens * dim);
  c.run = [=] { Rope(x, positions, table, pairing); };
  if (pairing == RopePairing::kHalves) {
    c.opponents.emplace_back("plain loops",
                             [=]() mutable { PlainLoops(x, positions, table, y.mutable_data<float>()); });
  }
  return c;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) {
  return quern::BenchmarkMain(argc, argv, "rope", [] {
    using quern::Forward, quern::RopePairing;
    return std::vector<quern::BenchmarkCase>{
        Forward(512, 12, 64, RopePairing::kHalves), Forward(512, 12, 64, RopePairing::kInterleaved),
        Forward(2048, 32, 128, RopePairing::kHalves), Forward(2048, 32, 128, RopePairing::kInterleaved)};
  });
}
