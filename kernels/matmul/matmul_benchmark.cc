// Against Eigen, compiled for the same instruction set and cut over the same threads. Sizes are M x K x N.
#include "kernels/benchmark.h"

#include <array>

#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "kernels/matmul/matmul.h"
#include "kernels/matmul/matmul_benchmark_eigen.h"
#include "kernels/matmul/matmul_plan.h"
#include "kernels/testing.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::EigenTile)> kEigen = {ref::EigenTile, avx2::EigenTile, avx512::EigenTile};

using Size = std::array<int64_t, 3>;

MatmulArgs ArgsOf(MatmulKind kind, const Size& size, const Tensor& a, const Tensor& b) {
  auto [m, k, n] = size;
  MatmulArgs args{};
  args.a = a.data<float>();
  args.b = b.data<float>();
  args.m = m;
  args.k = k;
  args.n = n;
  args.a_row = kind == MatmulKind::kTN ? 1 : k;
  args.a_k = kind == MatmulKind::kTN ? m : 1;
  args.b_k = kind == MatmulKind::kNT ? 1 : n;
  args.b_column = kind == MatmulKind::kNT ? k : 1;
  args.c_row = n;
  return args;
}

std::string Text(const Size& size) {
  return std::to_string(size[0]) + "x" + std::to_string(size[1]) + "x" + std::to_string(size[2]);
}

// The operands are kept alive.
std::function<void()> Eigen(MatmulArgs args, const Tensor& a, const Tensor& b, bool add = false) {
  Tensor out = Tensor::Zeros({args.m, args.n}, DType::kF32);
  return [=]() mutable {
    args.c = out.mutable_data<float>();
    if (add) args.addend = args.c, args.addend_row = args.c_row;
    const MatmulPlan plan = PlanMatmul(args, ThreadPool::Current().threads());
    auto* tile = kEigen.Pick();
    ParallelFor(plan.parts(), 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) tile(args, PartOf(args, plan, part, nullptr));
    });
  };
}

// `add`: into what is there, as gradients of weights are.
BenchmarkCase Product(MatmulKind kind, const Size& size, bool add = false) {
  const char* names[] = {"NN", "NT", "TN"};
  BenchmarkCase c;
  c.name = std::string(names[static_cast<int>(kind)]) + (add ? "+ " : " ") + Text(size);
  c.flops = 2.0 * static_cast<double>(size[0] * size[1]) * static_cast<double>(size[2]);
  c.prepare = [=](BenchmarkCase& self) {
    auto [m, k, n] = size;
    Tensor a = RandomTensor(kind == MatmulKind::kTN ? Shape{k, m} : Shape{m, k}, 1);
    Tensor b = RandomTensor(kind == MatmulKind::kNT ? Shape{n, k} : Shape{k, n}, 2);
    Tensor out = add ? Tensor::Zeros({m, n}, DType::kF32) : Tensor();
    self.run = [kind, add, a, b, out] {
      if (!add) {
        Matmul(kind, a, b);
        return;
      }
      Slot slot(out, /*accumulate=*/true);
      MatmulTo(kind, a, b, slot);
    };
    self.opponents = {{"eigen", Eigen(ArgsOf(kind, size, a, b), a, b, add)}};
  };
  return c;
}

// The weight is packed once, as for inference.
BenchmarkCase Packed(const Size& size) {
  BenchmarkCase c;
  c.name = "packed " + Text(size);
  const double m = static_cast<double>(size[0]), k = static_cast<double>(size[1]), n = static_cast<double>(size[2]);
  c.flops = 2 * m * k * n;
  c.bytes = 4 * (m * k + k * n + m * n);
  c.written = 4 * m * n;
  c.footprint = 2 * c.bytes;  // the opponent has a weight of its own
  c.prepare = [=](BenchmarkCase& self) {
    auto [rows, in, out] = size;
    Tensor x = RandomTensor({rows, in}, 1), w = RandomTensor({out, in}, 2);
    self.run = [x, packed = PackWeight(w, WeightLayout::kOutIn)] { Linear(x, packed, Tensor()); };
    self.opponents = {{"eigen", Eigen(ArgsOf(MatmulKind::kNT, size, x, w), x, w)}};
  };
  return c;
}

BenchmarkCase Packing(int64_t n, int64_t k, WeightLayout layout) {
  const bool out_in = layout == WeightLayout::kOutIn;
  BenchmarkCase c;
  c.name = std::string(out_in ? "pack [N,K] " : "pack [K,N] ") + std::to_string(n) + "x" + std::to_string(k);
  c.bytes = 8.0 * static_cast<double>(n * k);
  c.written = c.bytes / 2;
  c.prepare = [=](BenchmarkCase& self) {
    self.run = [layout, w = RandomTensor(out_in ? Shape{n, k} : Shape{k, n}, 1)] { PackWeight(w, layout); };
  };
  return c;
}

std::vector<BenchmarkCase> Cases() {
  using enum MatmulKind;
  std::vector<BenchmarkCase> cases;
  for (int64_t n : {512, 1024, 2048}) {
    for (MatmulKind kind : {kNN, kNT, kTN}) cases.push_back(Product(kind, {n, n, n}));
  }
  // A layer's product forward, and the gradients of its input and of its weight: nanoGPT's CPU recipe (Linear,
  // [out,in]) and GPT-2 124M at 4 x 64 tokens (Conv1D, [in,out]), its head last.
  for (const Size& s : {Size{768, 128, 128}, {768, 128, 512}, {768, 512, 128}}) {
    auto [rows, in, out] = s;
    cases.push_back(Product(kNT, s));
    cases.push_back(Product(kNN, {rows, out, in}));
    cases.push_back(Product(kTN, {out, rows, in}, /*add=*/true));
  }
  for (const Size& s : {Size{256, 768, 2304}, {256, 768, 768}, {256, 768, 3072}, {256, 3072, 768}}) {
    auto [rows, in, out] = s;
    cases.push_back(Product(kNN, s));
    cases.push_back(Product(kNT, {rows, out, in}));
    cases.push_back(Product(kTN, {in, rows, out}, /*add=*/true));
  }
  cases.push_back(Product(kNT, {256, 768, 50257}));
  cases.push_back(Product(kNN, {256, 50257, 768}));
  cases.push_back(Product(kTN, {50257, 256, 768}, /*add=*/true));
  for (const Size& s : {Size{1, 768, 768},
                        {1, 768, 2304},
                        {1, 768, 3072},
                        {2, 768, 3072},
                        {4, 768, 3072},
                        {1, 2048, 2048},
                        {4, 2048, 2048},
                        {8, 2048, 2048},
                        {16, 2048, 2048},
                        {64, 2048, 2048},
                        {1, 768, 50257},
                        {2, 768, 50257},
                        {4, 768, 50257},
                        {8, 768, 50257}}) {
    cases.push_back(Packed(s));
  }
  cases.push_back(Packing(3072, 768, WeightLayout::kOutIn));
  cases.push_back(Packing(3072, 768, WeightLayout::kInOut));
  return cases;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) { return quern::BenchmarkMain(argc, argv, "matmul", quern::Cases); }
