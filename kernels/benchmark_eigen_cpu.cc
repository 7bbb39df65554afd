#include "kernels/benchmark_eigen_args.h"

// A namespace of its own per instruction set: the linker would keep one copy of Eigen's templates for all of them.
#define QUERN_JOIN_(a, b) a##b
#define QUERN_JOIN(a, b) QUERN_JOIN_(a, b)
#define Eigen QUERN_JOIN(Eigen_, QUERN_ISA)
#define EIGEN_DONT_PARALLELIZE
#include <eigen3/Eigen/Core>

namespace quern {
namespace QUERN_ISA {
namespace {

using Row = Eigen::Map<Eigen::Array<float, 1, Eigen::Dynamic>>;
using ConstRow = Eigen::Map<const Eigen::Array<float, 1, Eigen::Dynamic>>;

constexpr float kTanhLinear = 0.797884561f, kTanhCubic = 0.0356774081f;

struct Rows {
  const EigenArgs& args;
  int64_t n;
  ConstRow a() const { return {args.a + n * args.cols, args.cols}; }
  ConstRow b() const { return {args.b + n * args.cols, args.cols}; }
  ConstRow row() const { return {args.row, args.cols}; }
  ConstRow bias() const { return {args.bias, args.cols}; }
  Row y() const { return {args.y + n * args.cols, args.cols}; }
};

void GeluTanhBackward(const Rows& r) {
  ConstRow x = r.b();
  Row y = r.y();
  y = (x * (kTanhLinear + kTanhCubic * x.square())).tanh();
  y = r.a() * 0.5f * ((1 + y) + x * (1 - y.square()) * (kTanhLinear + 3 * kTanhCubic * x.square()));
}

void Softmax(const Rows& r) {
  Row y = r.y();
  y = (r.a() - r.a().maxCoeff()).exp();
  y *= 1 / y.sum();
}

void LayerNorm(const Rows& r) {
  const float mean = r.a().mean(), rstd = 1 / Eigen::numext::sqrt((r.a() - mean).square().mean() + 1e-5f);
  r.y() = (r.a() - mean) * rstd * r.row() + r.bias();
}

void LayerNormBackward(const Rows& r) {
  const int64_t cols = r.args.cols;
  ConstRow dy = r.a(), x = r.b();
  const float mean = x.mean(), rstd = 1 / Eigen::numext::sqrt((x - mean).square().mean() + 1e-5f);
  const float sum = (dy * r.row()).mean(), dot = (dy * r.row() * ((x - mean) * rstd)).mean();
  r.y() = rstd * (dy * r.row() - sum - (x - mean) * rstd * dot);
  Row(r.args.second, cols) += dy * ((x - mean) * rstd);
  Row(r.args.third, cols) += dy;
}

void AdamW(const Rows& r) {
  const int64_t at = r.n * r.args.cols, cols = r.args.cols;
  Row w = r.y(), m(r.args.second + at, cols), v(r.args.third + at, cols);
  m = 0.9f * m + 0.1f * r.a();
  v = 0.999f * v + 0.001f * r.a().square();
  w = w * 0.99999f - 0.01f * m / (v.sqrt() * 31.6f + 1e-8f);
}

int32_t ArgMax(const Rows& r) {
  Eigen::Index index = 0;
  r.a().maxCoeff(&index);
  return static_cast<int32_t>(index);
}

}  // namespace

void EigenRows(EigenOp op, const EigenArgs& args, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) {
    const Rows r{args, n};
    switch (op) {
      case EigenOp::kAdd:
        r.y() = r.a() + r.b();
        break;
      case EigenOp::kAddRow:
        r.y() = r.a() + r.row();
        break;
      case EigenOp::kScale:
        r.y() = r.a() * args.factor;
        break;
      case EigenOp::kGeluTanh:
        r.y() = 0.5f * r.a() * (1 + (r.a() * (kTanhLinear + kTanhCubic * r.a().square())).tanh());
        break;
      case EigenOp::kGeluTanhBackward:
        GeluTanhBackward(r);
        break;
      case EigenOp::kSilu:
        r.y() = r.a() / (1 + (-r.a()).exp());
        break;
      case EigenOp::kSwiGlu:
        r.y() = r.a() / (1 + (-r.a()).exp()) * r.b();
        break;
      case EigenOp::kSoftmax:
        Softmax(r);
        break;
      case EigenOp::kSoftmaxBackward:
        r.y() = r.b() * (r.a() - (r.a() * r.b()).sum());
        break;
      case EigenOp::kCrossEntropy: {
        const float max = r.a().maxCoeff();
        args.second[n] = Eigen::numext::log((r.a() - max).exp().sum()) - (r.a()[args.ids[n]] - max);
        break;
      }
      case EigenOp::kLayerNorm:
        LayerNorm(r);
        break;
      case EigenOp::kLayerNormBackward:
        LayerNormBackward(r);
        break;
      case EigenOp::kRmsNorm:
        r.y() = r.a() * r.row() * (1 / Eigen::numext::sqrt(r.a().square().mean() + 1e-5f));
        break;
      case EigenOp::kSum:
        args.second[n] = r.a().sum();
        break;
      case EigenOp::kMax:
        args.second[n] = r.a().maxCoeff();
        break;
      case EigenOp::kSquaredNorm:
        args.second[n] = r.a().matrix().squaredNorm();
        break;
      case EigenOp::kSumRows:
        Row(args.second, args.cols) += r.a();
        break;
      case EigenOp::kArgMax:
        args.ids_out[n] = ArgMax(r);
        break;
      case EigenOp::kAdamW:
        AdamW(r);
        break;
    }
  }
}

}  // namespace QUERN_ISA
}  // namespace quern
