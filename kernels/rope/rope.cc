#include "kernels/rope/rope.h"

#include <cmath>

#include "base/log.h"
#include "base/thread_pool.h"
#include "kernels/isa.h"
#include "kernels/rope/rope_args.h"

namespace quern {
namespace {

constexpr PerIsa<decltype(ref::RopeTokens)> kTokens = {ref::RopeTokens, avx2::RopeTokens, avx512::RopeTokens};

// Elements that are worth a thread of their own.
constexpr int64_t kGrain = 16 * 1024;

void CheckInputs(const char* op, const Tensor& x, std::span<const int32_t> positions, const RopeTable& table) {
  CHECK(x.dtype() == DType::kF32 && x.device().is_cpu()) << op << ": takes f32 on the CPU; got x=" << x;
  CHECK(x.rank() == 3 && x.dim(2) % 2 == 0 && (x.dim(2) <= 1 || x.stride(2) == 1))
      << op << ": x is [N, H, D], D even and contiguous; got x=" << x;
  CHECK(table.cos.defined() && table.sin.defined() && table.cos.shape() == table.sin.shape() && table.cos.rank() == 2 &&
        table.cos.contiguous() && table.sin.contiguous() && table.cos.dim(1) == x.dim(2) / 2)
      << op << ": the table is [positions, D/2]; got x=" << x << ", cos=" << table.cos << ", sin=" << table.sin;
  CHECK_EQ(static_cast<int64_t>(positions.size()), x.dim(0)) << op << ": one position per row; got x=" << x;
  for (int32_t position : positions) {
    CHECK(position >= 0 && position < table.cos.dim(0))
        << op << ": position " << position << " is outside the table; got cos=" << table.cos;
  }
}

void Turn(const Tensor& x, Tensor& y, std::span<const int32_t> positions, const RopeTable& table, RopePairing pairing,
          bool backward, bool add) {
  if (x.elements() == 0) return;
  RopeArgs args{};
  args.x = x.data<float>();
  args.y = y.mutable_data<float>();
  args.positions = positions.data();
  args.cos = table.cos.data<float>();
  args.sin = table.sin.data<float>();
  args.tokens = x.dim(0), args.heads = x.dim(1), args.dim = x.dim(2);
  args.x_token = x.stride(0), args.x_head = x.stride(1);
  args.y_token = y.stride(0), args.y_head = y.stride(1);
  args.interleaved = pairing == RopePairing::kInterleaved;
  args.backward = backward;
  args.add = add;
  auto* tokens = kTokens.Pick();
  ParallelFor(args.tokens, kGrain / (args.heads * args.dim) + 1,
              [&](int64_t begin, int64_t end) { tokens(args, begin, end); });
}

}  // namespace

RopeTable MakeRopeTable(int64_t positions, const std::vector<double>& inverse_frequencies, double attention_factor) {
  int64_t half = static_cast<int64_t>(inverse_frequencies.size());
  CHECK_GE(positions, 0) << "MakeRopeTable: positions are not negative.";
  RopeTable table{Tensor::Empty({positions, half}, DType::kF32), Tensor::Empty({positions, half}, DType::kF32)};
  float *cos = table.cos.mutable_data<float>(), *sin = table.sin.mutable_data<float>();
  ParallelFor(positions, 256, [&](int64_t begin, int64_t end) {
    for (int64_t n = begin; n < end; ++n) {
      for (int64_t i = 0; i < half; ++i) {
        double angle = static_cast<double>(n) * inverse_frequencies[i];
        cos[n * half + i] = static_cast<float>(std::cos(angle) * attention_factor);
        sin[n * half + i] = static_cast<float>(std::sin(angle) * attention_factor);
      }
    }
  });
  return table;
}

Tensor Rope(const Tensor& x, std::span<const int32_t> positions, const RopeTable& table, RopePairing pairing) {
  CheckInputs("Rope", x, positions, table);
  Tensor y = Tensor::Empty(x.shape(), DType::kF32);
  Turn(x, y, positions, table, pairing, /*backward=*/false, /*add=*/false);
  return y;
}

void RopeBackward(const Tensor& dy, std::span<const int32_t> positions, const RopeTable& table, RopePairing pairing,
                  Slot& dx) {
  if (!dx.wanted()) return;
  CheckInputs("RopeBackward", dy, positions, table);
  Tensor& to = dx.destination();
  CHECK(to.shape() == dy.shape() && to.dtype() == DType::kF32 && (to.dim(2) <= 1 || to.stride(2) == 1))
      << "RopeBackward: dx is like dy, contiguous in D; got dx=" << to << ", dy=" << dy;
  Turn(dy, to, positions, table, pairing, /*backward=*/true, dx.accumulate());
}

}  // namespace quern
