#include "nn/init.h"

#include <bit>
#include <cmath>

#include "base/rng.h"
#include "base/thread_pool.h"
#include "kernels/elementwise/elementwise.h"

namespace quern::nn {
namespace {

// Natural logarithm for 0 < x <= 1: x = m 2^e with m in [sqrt(1/2), sqrt(2)), log m = 2 artanh((m - 1) / (m + 1)).
double Log(double x) {
  uint64_t bits = std::bit_cast<uint64_t>(x);
  int exponent = static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0xFFFFFFFFFFFFFull) | 0x3FF0000000000000ull);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    ++exponent;
  }
  double s = (m - 1) / (m + 1), z = s * s, sum = 0;
  for (int k = 23; k >= 1; k -= 2) sum = sum * z + 1.0 / k;
  return 2 * s * sum + exponent * 0.6931471805599453;
}

template <int N>
double Polynomial(const double (&c)[N], double x) {
  double sum = c[N - 1];
  for (int i = N - 2; i >= 0; --i) sum = sum * x + c[i];
  return sum;
}

// Numerators and denominators of the centre, the tails and the far tails, lowest power first.
constexpr double kA[] = {3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
                         1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
                         3.3430575583588128105e4, 2.5090809287301226727e3};
constexpr double kB[] = {1.0,
                         4.2313330701600911252e1,
                         6.8718700749205790830e2,
                         5.3941960214247511077e3,
                         2.1213794301586595867e4,
                         3.9307895800092710610e4,
                         2.8729085735721942674e4,
                         5.2264952788528545610e3};
constexpr double kC[] = {1.42343711074968357734e0,  4.63033784615654529590e0, 5.76949722146069140550e0,
                         3.64784832476320460504e0,  1.27045825245236838258e0, 2.41780725177450611770e-1,
                         2.27238449892691845833e-2, 7.74545014278341407640e-4};
constexpr double kD[] = {1.0,
                         2.05319162663775882187e0,
                         1.67638483018380384940e0,
                         6.89767334985100004550e-1,
                         1.48103976427480074590e-1,
                         1.51986665636164571966e-2,
                         5.47593808499534494600e-4,
                         1.05075007164441684324e-9};
constexpr double kE[] = {6.65790464350110377720e0,  5.46378491116411436990e0,  1.78482653991729133580e0,
                         2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
                         2.71155556874348757815e-5, 2.01033439929228813265e-7};
constexpr double kF[] = {1.0,
                         5.99832206555887937690e-1,
                         1.36929880922735805310e-1,
                         1.48753612908506148525e-2,
                         7.86869131145613259100e-4,
                         1.84631831751005468180e-5,
                         1.42151175831644588870e-7,
                         2.04426310338993978564e-15};

}  // namespace

double NormalQuantile(double u) {
  double q = u - 0.5;
  if (std::fabs(q) <= 0.425) {
    double r = 0.180625 - q * q;
    return q * Polynomial(kA, r) / Polynomial(kB, r);
  }
  double r = std::sqrt(-Log(q < 0 ? u : 1 - u));
  double x = r <= 5 ? Polynomial(kC, r - 1.6) / Polynomial(kD, r - 1.6) : Polynomial(kE, r - 5) / Polynomial(kF, r - 5);
  return q < 0 ? -x : x;
}

void Initializer::Normal(Var& parameter, double standard_deviation) {
  Tensor& tensor = parameter.mutable_value();
  float* out = tensor.mutable_data<float>();
  int64_t elements = tensor.elements();
  RngKey key{seed_, RngStream::kInit};
  ParallelFor((elements + 3) / 4, /*grain=*/4096, [=, index = index_](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      Philox4 words = RandomWords(key, /*step=*/index, /*micro_batch=*/0, static_cast<uint64_t>(group));
      for (int64_t i = group * 4; i < group * 4 + 4 && i < elements; ++i) {
        double u = (static_cast<double>(words[static_cast<size_t>(i & 3)]) + 0.5) * 0x1p-32;
        out[i] = static_cast<float>(standard_deviation * NormalQuantile(u));
      }
    }
  });
  ++index_;
}

void Initializer::Constant(Var& parameter, float value) {
  Fill(parameter.mutable_value(), value);
  ++index_;
}

}  // namespace quern::nn
