#include "kernels/ceilings.h"

#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "kernels/testing.h"

namespace quern {
namespace {

// Ratios with room to spare, on one thread: tests run on busy machines.

TEST(CeilingsTest, WiderRegistersAndNarrowerNumbersGoFaster) {
  ThreadPool one(1);
  ScopedThreadPool scope(one);
  Isa before = CurrentIsa();
  SetIsa(Isa::kReference);
  double sse2 = MeasureFlopsCeiling(DType::kF32);
  // At least one multiplication and one addition of four lanes in two cycles of 1 GHz; at most three of each at 8 GHz.
  EXPECT_GT(sse2, 4e9 / 2);
  EXPECT_LT(sse2, 3 * 8 * 8e9);
  for (Isa isa : AvailableIsas()) {
    if (isa == Isa::kReference) continue;
    SetIsa(isa);
    EXPECT_GT(MeasureFlopsCeiling(DType::kF32), 1.3 * sse2) << Name(isa);
    EXPECT_GT(MeasureFlopsCeiling(DType::kI8), 1.5 * MeasureFlopsCeiling(DType::kF32)) << Name(isa);
    const double least = isa == Isa::kAvx512Bf16 ? 1.3 : 0.8;
    EXPECT_GT(MeasureFlopsCeiling(DType::kBF16), least * MeasureFlopsCeiling(DType::kF32)) << Name(isa);
  }
  SetIsa(before);
}

TEST(CeilingsTest, SmallMemoryIsFaster) {
  ThreadPool one(1);
  ScopedThreadPool scope(one);
  Isa before = CurrentIsa();
  for (Isa isa : AvailableIsas()) {
    SetIsa(isa);
    double cache = MeasureBandwidthCeiling(16 * 1024), memory = MeasureBandwidthCeiling(256e6);
    EXPECT_GT(memory, 1e8) << Name(isa);
    EXPECT_LT(cache, 8e9 * 64 * 4) << Name(isa);
    EXPECT_GT(cache, 1.3 * memory) << Name(isa);
    EXPECT_GT(MeasureReadCeiling(16 * 1024), 1.3 * MeasureReadCeiling(256e6)) << Name(isa);
  }
  SetIsa(before);
}

TEST(CeilingsTest, NamesWhatItCannotMeasure) {
  EXPECT_DEATH(MeasureFlopsCeiling(DType::kF64), "measures f32, bf16 and i8; got f64");
}

}  // namespace
}  // namespace quern
