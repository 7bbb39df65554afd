#include "tensor/io/file_dtype.h"

#include <limits>

#include "gtest/gtest.h"

namespace quern {
namespace {

constexpr uint32_t kHalfInfinity = 0x7c00;

TEST(FileDTypeTest, EveryDTypeIsInTheTable) {
  for (DType dtype : {DType::kF32, DType::kBF16, DType::kI32, DType::kI64, DType::kI8, DType::kU8, DType::kF64}) {
    const FileDType& type = FileDTypeOf(dtype);
    EXPECT_EQ(type.dtype, dtype) << Name(dtype);
    EXPECT_EQ(type.size, SizeOf(dtype)) << Name(dtype);
    EXPECT_EQ(FindFileDType(type.name), &type);
  }
  EXPECT_EQ(FindFileDType("F16")->size, 2);
  EXPECT_EQ(FindFileDType("f32"), nullptr);
  EXPECT_EQ(FindFileDType(""), nullptr);
}

TEST(HalfTest, KnownValues) {
  EXPECT_EQ(HalfToFloat(0x3c00), 1.0f);
  EXPECT_EQ(HalfToFloat(0xc000), -2.0f);
  EXPECT_EQ(HalfToFloat(0x7bff), 65504.0f);
  EXPECT_EQ(HalfToFloat(0x0400), 0x1p-14f);
  EXPECT_EQ(HalfToFloat(0x0001), 0x1p-24f);
  EXPECT_EQ(HalfToFloat(0x8001), -0x1p-24f);
  EXPECT_TRUE(std::signbit(HalfToFloat(0x8000)));
  EXPECT_EQ(HalfToFloat(0xfc00), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(HalfToFloat(0x7e01)));
}

TEST(HalfTest, EveryHalfSurvivesTheWayThroughFloat) {
  for (uint32_t bits = 0; bits < 0x10000; ++bits) {
    const uint16_t half = static_cast<uint16_t>(bits);
    if ((half & 0x7fffu) > kHalfInfinity) {
      EXPECT_TRUE(std::isnan(HalfToFloat(half)));
      EXPECT_EQ(FloatToHalf(HalfToFloat(half)), half | 0x200) << "quiet, payload kept";
    } else {
      EXPECT_EQ(FloatToHalf(HalfToFloat(half)), half);
    }
  }
}

// Between each two neighbours: just below, at and just above the midpoint.
TEST(HalfTest, RoundsToNearestEven) {
  for (uint32_t bits = 0; bits < kHalfInfinity; ++bits) {
    const uint16_t low = static_cast<uint16_t>(bits), high = static_cast<uint16_t>(bits + 1);
    // The step above the greatest finite value is the one below it.
    const float above = high == kHalfInfinity ? 65536.0f : HalfToFloat(high);
    const float middle = (HalfToFloat(low) + above) / 2;
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, 0.0f)), low);
    EXPECT_EQ(FloatToHalf(std::nextafter(middle, 1e9f)), high);
    EXPECT_EQ(FloatToHalf(middle), low % 2 == 0 ? low : high);
    EXPECT_EQ(FloatToHalf(-middle), (low % 2 == 0 ? low : high) | 0x8000);
  }
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::max()), kHalfInfinity);
  EXPECT_EQ(FloatToHalf(std::numeric_limits<float>::denorm_min()), 0);
}

}  // namespace
}  // namespace quern
