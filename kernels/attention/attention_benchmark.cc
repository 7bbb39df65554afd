#include "kernels/attention/attention.h"

#include <cmath>
#include <eigen3/Eigen/Core>
#include <numeric>
#include <string>

#include "kernels/benchmark.h"
#include "kernels/testing.h"

namespace quern {
namespace {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Rows = Eigen::Map<const Matrix, 0, Eigen::OuterStride<>>;

struct Shape4 {
  int64_t batch, length, heads, kv_heads, dim;
};

std::string Name(const Shape4& s) {
  return std::to_string(s.batch) + "x" + std::to_string(s.length) + " H" + std::to_string(s.heads) + "/" +
         std::to_string(s.kv_heads) + " D" + std::to_string(s.dim);
}

// q, k and v as slices of the fused projection's rows.
struct Inputs {
  explicit Inputs(const Shape4& s)
      : qkv(RandomTensor({s.batch * s.length, s.heads + 2 * s.kv_heads, s.dim}, 1)),
        q(qkv.Slice(1, 0, s.heads)),
        k(qkv.Slice(1, s.heads, s.heads + s.kv_heads)),
        v(qkv.Slice(1, s.heads + s.kv_heads, s.heads + 2 * s.kv_heads)),
        scale(1.0f / std::sqrt(static_cast<float>(s.dim))) {
    for (int64_t i = 0; i <= s.batch; ++i) starts.push_back(static_cast<int32_t>(i * s.length));
  }
  AttentionLayout layout() const { return {starts, {}, {}, {}}; }

  Tensor qkv, q, k, v;
  std::vector<int32_t> starts;
  float scale;
};

Rows Head(const Tensor& t, int64_t row, int64_t rows, int64_t head) {
  return Rows(t.data<float>() + row * t.stride(0) + head * t.stride(1), rows, t.dim(2),
              Eigen::OuterStride<>(t.stride(0)));
}

// What one writes with a matrix library: the whole score matrix of a head, its softmax, the product. One thread.
void EigenForward(const Inputs& in, const Shape4& s, float* out) {
  Matrix scores(s.length, s.length);
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t h = 0; h < s.heads; ++h) {
      int64_t row = b * s.length, kv = h * s.kv_heads / s.heads;
      scores.noalias() = Head(in.q, row, s.length, h) * Head(in.k, row, s.length, kv).transpose() * in.scale;
      for (int64_t t = 0; t < s.length; ++t) {
        auto seen = scores.row(t).head(t + 1).array();
        seen = (seen - seen.maxCoeff()).exp();
        seen /= seen.sum();
        scores.row(t).tail(s.length - t - 1).setZero();
      }
      Eigen::Map<Matrix, 0, Eigen::OuterStride<>> to(out + (row * s.heads + h) * s.dim, s.length, s.dim,
                                                     Eigen::OuterStride<>(s.heads * s.dim));
      to.noalias() = scores * Head(in.v, row, s.length, kv);
    }
  }
}

// Flops are counted for the causal half: 4 T (T + 1) / 2 D a head forward, 2.5 times that backward.
double ForwardFlops(const Shape4& s) { return 2.0 * s.batch * s.length * (s.length + 1) * s.heads * s.dim; }

BenchmarkCase Forward(const Shape4& s) {
  Inputs in(s);
  Tensor out = Tensor::Empty({s.batch * s.length, s.heads, s.dim}, DType::kF32);
  BenchmarkCase c;
  c.name = "forward " + Name(s);
  c.flops = ForwardFlops(s);
  c.run = [=] { Attention(in.q, in.k, in.v, in.layout(), in.scale); };
  c.opponents.emplace_back("eigen", [=]() mutable { EigenForward(in, s, out.mutable_data<float>()); });
  return c;
}

BenchmarkCase Backward(const Shape4& s) {
  Inputs in(s);
  Tensor dout = RandomTensor({s.batch * s.length, s.heads, s.dim}, 2),
         dqkv = Tensor::Empty(in.qkv.shape(), DType::kF32);
  AttentionResult forward = Attention(in.q, in.k, in.v, in.layout(), in.scale);
  BenchmarkCase c;
  c.name = "backward " + Name(s);
  c.flops = 2.5 * ForwardFlops(s);
  c.run = [=] {
    Slot dq(dqkv.Slice(1, 0, s.heads)), dk(dqkv.Slice(1, s.heads, s.heads + s.kv_heads));
    Slot dv(dqkv.Slice(1, s.heads + s.kv_heads, s.heads + 2 * s.kv_heads));
    AttentionBackward(dout, in.q, in.k, in.v, forward, in.layout(), in.scale, dq, dk, dv);
  };
  return c;
}

// One new token a sequence; s.length keys are in the cache.
BenchmarkCase Decode(const Shape4& s) {
  int64_t per_sequence = (s.length + kKeyBlock) / kKeyBlock, blocks = s.batch * per_sequence;
  KvBlocks cache{RandomTensor({blocks, s.kv_heads, s.dim, kKeyBlock}, 1),
                 RandomTensor({blocks, s.kv_heads, kKeyBlock, s.dim}, 2)};
  Tensor q = RandomTensor({s.batch, s.heads, s.dim}, 3), kv = RandomTensor({s.batch, s.kv_heads, s.dim}, 4);
  std::vector<int32_t> starts(s.batch + 1), past(s.batch, static_cast<int32_t>(s.length)), block_starts(s.batch + 1),
      ids(blocks);
  std::iota(starts.begin(), starts.end(), 0);
  std::iota(ids.begin(), ids.end(), 0);
  for (int64_t i = 0; i <= s.batch; ++i) block_starts[i] = static_cast<int32_t>(i * per_sequence);
  BenchmarkCase c;
  c.name = "decode " + Name(s);
  c.bytes = 8.0 * static_cast<double>(s.batch * (s.length + 1) * s.kv_heads * s.dim);
  c.run = [=]() mutable { AttentionCached(q, kv, kv, {starts, past, block_starts, ids}, 0.125f, cache); };
  return c;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) {
  return quern::BenchmarkMain(argc, argv, "attention", [] {
    using quern::Backward, quern::Decode, quern::Forward, quern::Shape4;
    const Shape4 training[] = {{12, 64, 4, 4, 32},   // nanoGPT's CPU recipe
                               {4, 64, 12, 12, 64},  // GPT-2 124M, llm.c's CPU recipe
                               {16, 128, 8, 8, 64}, {32, 128, 8, 8, 32}, {1, 1024, 12, 12, 64}, {1, 1024, 16, 4, 128}};
    std::vector<quern::BenchmarkCase> cases;
    for (const Shape4& s : training) cases.push_back(Forward(s));
    for (const Shape4& s : training) cases.push_back(Backward(s));
    for (const Shape4& s : {Shape4{1, 1024, 12, 12, 64}, Shape4{1, 4096, 12, 12, 64}, Shape4{1, 4096, 32, 8, 128},
                            Shape4{8, 1024, 12, 12, 64}, Shape4{8, 4096, 16, 4, 64}}) {
      cases.push_back(Decode(s));
    }
    return cases;
  });
}
