#include "tensor/tensor.h"

#include <algorithm>
#include <numeric>
#include <set>
#include <vector>

#include "gtest/gtest.h"
#include "tensor/memory.h"

namespace quern {
namespace {

Tensor Iota(const Shape& shape) {
  std::vector<float> values(shape.elements());
  std::iota(values.begin(), values.end(), 0.0f);
  return Tensor::Of(values, shape);
}

TEST(TensorTest, ViewsShareBytes) {
  Tensor x = Iota({2, 3, 4});
  Tensor row = x.Slice(1, 1, 2);
  EXPECT_EQ(row.shape(), Shape({2, 1, 4}));
  EXPECT_EQ(row.ToVector<float>(), (std::vector<float>{4, 5, 6, 7, 16, 17, 18, 19}));
  x.mutable_data<float>()[4] = -1;
  EXPECT_EQ(row.ToVector<float>()[0], -1);
  EXPECT_FALSE(row.contiguous());
  EXPECT_TRUE(x.Slice(0, 1, 2).contiguous());
}

TEST(TensorTest, TransposeAndClone) {
  Tensor x = Iota({2, 3});
  EXPECT_EQ(x.Transpose(0, 1).ToVector<float>(), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  Tensor copy = x.Clone();
  copy.mutable_data<float>()[0] = 9;
  EXPECT_EQ(x.data<float>()[0], 0);
}

TEST(TensorTest, ReshapeInfersOneSize) {
  EXPECT_EQ(Iota({2, 6}).Reshape({3, -1}).shape(), Shape({3, 4}));
  EXPECT_DEATH(Iota({2, 6}).Reshape({5, -1}), "no size fits");
  EXPECT_DEATH(Iota({2, 6}).Transpose(0, 1).Reshape({12}), "Contiguous");
}

TEST(TensorTest, ReshapeCutsAndJoinsDenseAxesOfAView) {
  Tensor qkv = Iota({3, 24});           // rows of q, k, v
  Tensor k = qkv.Slice(1, 8, 16);       // [3,8], rows 24 apart
  Tensor heads = k.Reshape({3, 2, 4});  // [N,H,D]
  EXPECT_EQ(heads.stride(0), 24);
  EXPECT_EQ(heads.stride(1), 4);
  EXPECT_EQ(heads.ToVector<float>(), k.ToVector<float>());
  EXPECT_EQ(heads.Reshape({3, 8}).ToVector<float>(), k.ToVector<float>());
  EXPECT_EQ(heads.Reshape({3, 4, 2}).ToVector<float>(), k.ToVector<float>());
  EXPECT_EQ(heads.Reshape({3, 1, 8}).ToVector<float>(), k.ToVector<float>());
  EXPECT_EQ(Iota({1, 24}).Slice(1, 8, 16).Reshape({2, 4}).ToVector<float>(),
            (std::vector<float>{8, 9, 10, 11, 12, 13, 14, 15}));
  EXPECT_DEATH(k.Reshape({24}), "Contiguous");
  EXPECT_DEATH(k.Reshape({2, 12}), "Contiguous");
  // The stride of an axis of size 1 says nothing: these rows are 10 apart, not 3.
  Tensor rows = Iota({4, 1, 10}).Slice(2, 0, 3);
  EXPECT_DEATH(rows.Reshape({12}), "Contiguous");
  EXPECT_EQ(rows.Reshape({2, 2, 3}).ToVector<float>(), rows.ToVector<float>());
  EXPECT_EQ(rows.Slice(0, 0, 0).Reshape({3, 0}).elements(), 0);
  // Joined outer axes beside a cut inner one.
  Tensor blocks = Iota({2, 3, 8}).Slice(2, 1, 7);
  EXPECT_EQ(blocks.Reshape({6, 2, 3}).ToVector<float>(), blocks.ToVector<float>());
  Tensor turned = Iota({2, 3, 4}).Transpose(0, 1);
  EXPECT_EQ(turned.Reshape({3, 2, 2, 2}).ToVector<float>(), turned.ToVector<float>());
  EXPECT_DEATH(turned.Reshape({6, 4}), "Contiguous");
}

TEST(TensorTest, WritesRaiseTheVersionOfTheStorage) {
  Tensor x = Iota({4});
  Tensor view = x.Slice(0, 0, 2);
  uint64_t before = view.version();
  x.mutable_data<float>()[0] = 1;
  EXPECT_GT(view.version(), before);
}

TEST(TensorTest, MappedMemoryIsReadOnly) {
  auto owner = std::make_shared<std::vector<float>>(4, 1.0f);
  Tensor x = Tensor::View(Storage::Wrap(owner->data(), 16, owner, /*read_only=*/true), 0, {4}, DType::kF32);
  EXPECT_EQ(x.data<float>()[3], 1.0f);
  EXPECT_DEATH(x.mutable_data<float>(), "read-only");
}

TEST(TensorTest, WrongTypeNamesBoth) {
  EXPECT_DEATH(Iota({2}).data<int32_t>(), "asked for i32 data; got f32\\[2\\]@cpu");
}

TEST(TensorTest, ScalarAndEmpty) {
  EXPECT_EQ(Tensor::Zeros({}, DType::kF32).elements(), 1);
  EXPECT_EQ(Tensor::Empty({0, 5}, DType::kF32).Clone().elements(), 0);
}

TEST(MemoryTest, FreedBlocksAreReusedAndCounted) {
  MemoryCounters before = GetMemoryCounters();
  const void* address;
  {
    Tensor x = Tensor::Empty({1000, 7}, DType::kF32);
    address = x.raw();
    EXPECT_GE(GetMemoryCounters().current_bytes, before.current_bytes + 28000);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(address) % kAlignment, 0u);
  }
  EXPECT_EQ(GetMemoryCounters().current_bytes, before.current_bytes);
  EXPECT_GE(GetMemoryCounters().peak_bytes, before.current_bytes + 28000);
  Tensor again = Tensor::Empty({1000, 7}, DType::kF32);
  EXPECT_EQ(again.raw(), address);
  EXPECT_EQ(GetMemoryCounters().cache_hits, before.cache_hits + 1);
}

TEST(MemoryTest, BlocksLieApartAndTrimGivesBackTheSlabsThatAreFree) {
  TrimMemory();
  const MemoryCounters before = GetMemoryCounters();
  std::vector<Tensor> tensors;
  std::set<uintptr_t> offsets;
  for (int i = 0; i < 60; ++i) {
    Tensor t = Tensor::Empty({100'000 + 2'000 * (i / 10)}, DType::kF32);
    std::fill_n(t.mutable_data<float>(), t.elements(), static_cast<float>(i));
    const uintptr_t address = reinterpret_cast<uintptr_t>(t.data<float>());
    EXPECT_EQ(address % kAlignment, 0u);
    offsets.insert(address % 4096);
    tensors.push_back(t);
  }
  EXPECT_GT(offsets.size(), 30u) << "blocks that all begin at the same place of a page share the sets of a cache";
  for (size_t i = 0; i < tensors.size(); ++i) {
    const float* t = tensors[i].data<float>();
    EXPECT_TRUE(std::all_of(t, t + tensors[i].elements(), [&](float x) { return x == static_cast<float>(i); })) << i;
  }
  const Tensor kept = tensors[30];
  tensors.clear();
  EXPECT_GT(GetMemoryCounters().reserved_bytes, before.reserved_bytes + 24'000'000);
  TrimMemory();
  EXPECT_LT(GetMemoryCounters().reserved_bytes, before.reserved_bytes + (16 << 20)) << "but for the kept one's slab";
  EXPECT_GE(GetMemoryCounters().reserved_bytes, GetMemoryCounters().current_bytes);
  EXPECT_EQ(kept.data<float>()[kept.elements() - 1], 30.0f);
  // What was given back is taken anew.
  Tensor again = Tensor::Zeros({3'000'000}, DType::kF32), small = Tensor::Zeros({100'000}, DType::kF32);
  EXPECT_EQ(again.data<float>()[2'999'999], 0.0f);
  EXPECT_EQ(small.data<float>()[99'999], 0.0f);
}

TEST(MemoryTest, BudgetRefusesWhatDoesNotFit) {
  absl::Status status = MemoryBudget::Reserve(int64_t{1} << 50, Cpu(), "the KV cache");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_NE(status.ToString().find("the KV cache needs"), std::string::npos);
  EXPECT_TRUE(MemoryBudget::Reserve(1024, Cpu(), "a page").ok());
}

TEST(BFloat16Test, RoundsToNearestEven) {
  EXPECT_EQ(BFloat16(1.0f).bits, 0x3F80);
  EXPECT_EQ(BFloat16(std::bit_cast<float>(0x3F808000u)).bits, 0x3F80);  // tie, even below
  EXPECT_EQ(BFloat16(std::bit_cast<float>(0x3F818000u)).bits, 0x3F82);  // tie, even above
  EXPECT_TRUE(std::isnan(static_cast<float>(BFloat16(std::nanf("")))));
  EXPECT_TRUE(std::isinf(static_cast<float>(BFloat16(3.4e38f))));
}

TEST(DeviceTest, Parse) {
  EXPECT_EQ(*ParseDevice("cpu"), Cpu());
  EXPECT_EQ(ParseDevice("gpu").status().code(), absl::StatusCode::kInvalidArgument);
  if (!kBuiltWithCuda) {
    EXPECT_EQ(ParseDevice("cuda:0").status().code(), absl::StatusCode::kFailedPrecondition);
  }
}

}  // namespace
}  // namespace quern
