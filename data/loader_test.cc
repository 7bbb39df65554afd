#include "data/loader.h"

#include <cmath>
#include <cstdio>
#include <set>
#include <string>
#include <vector>

#include "base/file.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

std::string TestPath(const std::string& name) { return testing::TempDir() + "/loader_test." + name; }

// Ids 0, 1, 2, ...
std::shared_ptr<const TokenShard> CountingShard(int64_t tokens, IdWidth width = IdWidth::kU32) {
  std::string path = TestPath("counting");
  auto writer = TokenShardWriter::Create(path, width);
  std::vector<int32_t> ids;
  for (int64_t i = 0; i < tokens; ++i) ids.push_back(static_cast<int32_t>(i));
  EXPECT_TRUE(writer.ok() && writer->Append(ids).ok() && writer->Commit().ok());
  auto shard = TokenShard::Open(path, width, tokens);
  EXPECT_TRUE(shard.ok()) << shard.status();
  return std::make_shared<const TokenShard>(*std::move(shard));
}

TEST(TokenShard, IsRawLittleEndianIds) {
  std::string path = TestPath("raw");
  for (auto [width, expected] : {std::pair(IdWidth::kU16, std::string("\x01\x00\xfe\xff\x05\x00", 6)),
                                 std::pair(IdWidth::kU32, std::string("\x01\0\0\0\xfe\xff\0\0\x05\0\0\0", 12))}) {
    auto writer = TokenShardWriter::Create(path, width);
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->Append(std::vector<int32_t>{1, 65534}).ok());
    ASSERT_TRUE(writer->Append(std::vector<int32_t>{5}).ok());
    EXPECT_EQ(writer->tokens(), 3);
    ASSERT_TRUE(writer->Commit().ok());
    EXPECT_EQ(*ReadFile(path), expected);
    auto shard = TokenShard::Open(path, width, 65535);
    ASSERT_TRUE(shard.ok()) << shard.status();
    std::vector<int32_t> ids(2);
    shard->Read(1, ids);
    EXPECT_EQ(ids, (std::vector<int32_t>{65534, 5}));
  }
}

TEST(TokenShard, RefusesWhatIsNotItsVocabulary) {
  std::string path = TestPath("bad");
  ASSERT_TRUE(WriteFileAtomic(path, std::string("\x01\x00\x09\x00", 4)).ok());
  auto beyond = TokenShard::Open(path, IdWidth::kU16, 9);
  EXPECT_EQ(beyond.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(std::string(beyond.status().message()).find("position 1"), std::string::npos) << beyond.status();
  EXPECT_TRUE(TokenShard::Open(path, IdWidth::kU16, 10).ok());
  ASSERT_TRUE(WriteFileAtomic(path, "abc").ok());
  EXPECT_EQ(TokenShard::Open(path, IdWidth::kU16, 1 << 16).status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(WriteFileAtomic(path, "").ok());
  auto empty = TokenShard::Open(path, IdWidth::kU16, 10);
  ASSERT_TRUE(empty.ok()) << empty.status();
  EXPECT_EQ(empty->tokens(), 0);
}

TEST(KeyedPermutation, IsABijection) {
  for (int64_t n : {1, 2, 3, 4, 5, 7, 16, 17, 63, 64, 65, 255, 1000, 4097, 65537}) {
    for (uint64_t seed : {uint64_t{0}, uint64_t{7}, ~uint64_t{0}}) {
      std::vector<bool> seen(static_cast<size_t>(n));
      for (int64_t i = 0; i < n; ++i) {
        int64_t at = KeyedPermutation(n, seed, 3, i);
        ASSERT_TRUE(at >= 0 && at < n && !seen[static_cast<size_t>(at)]) << "n " << n << " at " << i;
        seen[static_cast<size_t>(at)] = true;
      }
    }
  }
}

TEST(KeyedPermutation, LooksRandom) {
  // Fixed points of a random permutation: one on average. Neighbours stay neighbours: two on average.
  constexpr int64_t kSize = 1000;
  double fixed = 0, neighbours = 0, first = 0;
  for (uint32_t epoch = 0; epoch < 400; ++epoch) {
    int64_t previous = -10;
    for (int64_t i = 0; i < kSize; ++i) {
      int64_t at = KeyedPermutation(kSize, 11, epoch, i);
      fixed += at == i;
      neighbours += std::abs(at - previous) == 1;
      if (i == 0) first += static_cast<double>(at);
      previous = at;
    }
  }
  EXPECT_NEAR(fixed / 400, 1, 0.25);
  EXPECT_NEAR(neighbours / 400, 2, 0.4);
  EXPECT_NEAR(first / 400, 499.5, 60);
}

// Recorded once: the order is part of every run's bits.
TEST(KeyedPermutation, StaysWhatItWas) {
  std::vector<int64_t> order;
  for (int64_t i = 0; i < 10; ++i) order.push_back(KeyedPermutation(10, 42, 1, i));
  EXPECT_EQ(order, (std::vector<int64_t>{7, 3, 5, 0, 2, 8, 9, 1, 6, 4}));
}

TEST(TokenLoader, ReadsEachWindowOnceAnEpoch) {
  constexpr int64_t kBlock = 8;
  for (int64_t tokens : {9, 16, 17, 100, 1001}) {
    auto shard = CountingShard(tokens);
    TokenLoader loader(shard, kBlock, {5, 0});
    EXPECT_EQ(loader.windows(), (tokens - 1) / kBlock);
    std::vector<std::vector<int32_t>> epochs;
    for (int epoch = 0; epoch < 3; ++epoch) {
      std::multiset<int32_t> starts;
      epochs.emplace_back();
      for (int64_t i = 0; i < loader.windows(); ++i) {
        TokenBatch batch = loader.Next(1);
        const int32_t *in = batch.inputs.data<int32_t>(), *target = batch.targets.data<int32_t>();
        for (int64_t t = 0; t < kBlock; ++t) {
          EXPECT_EQ(in[t], in[0] + t);
          EXPECT_EQ(target[t], in[t] + 1);
        }
        EXPECT_EQ(in[0] % kBlock, 0);
        starts.insert(in[0]);
        epochs.back().push_back(in[0]);
      }
      EXPECT_EQ(std::set<int32_t>(starts.begin(), starts.end()).size(), starts.size());
    }
    if (loader.windows() > 10) {
      EXPECT_NE(epochs[0], epochs[1]);
    }
  }
}

TEST(TokenLoader, ResumesAnywhereWithAnyBatch) {
  auto shard = CountingShard(300, IdWidth::kU16);
  TokenLoader whole(shard, 8, {9, 0});
  std::vector<int32_t> all = whole.Next(90).inputs.ToVector<int32_t>();  // over two epochs of 37
  for (int64_t stop : {1, 36, 37, 38, 80}) {
    TokenLoader before(shard, 8, {9, 0});
    for (int64_t i = 0; i < stop; ++i) before.Next(1);
    TokenLoader after(shard, 8, before.state());
    std::vector<int32_t> rest = after.Next(90 - stop).inputs.ToVector<int32_t>();
    EXPECT_EQ(rest, std::vector<int32_t>(all.begin() + stop * 8, all.end()));
    EXPECT_EQ(after.state().next_sample, 90);
  }
  TokenLoader other(shard, 8, {10, 0});
  EXPECT_NE(other.Next(90).inputs.ToVector<int32_t>(), all);
}

}  // namespace
}  // namespace quern
