// What must be refused, each with its own message, and what must never crash.
#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "base/file.h"
#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tensor/io/safetensors.h"
#include "tensor/io/safetensors_writer.h"

namespace quern {
namespace {

using ::testing::HasSubstr;

class SafetensorsHostileTest : public FolderTest {
 protected:
  std::string path() const { return Path("a.safetensors"); }

  // Opens these bytes; where they are accepted, touches every byte of every tensor.
  absl::Status Try(const std::string& bytes) const {
    Write("a.safetensors", bytes);
    absl::StatusOr<SafetensorsFile> opened = SafetensorsFile::Open(path());
    if (!opened.ok()) return opened.status();
    for (const std::string& name : opened->names()) {
      EXPECT_LE(opened->entry(name)->end, bytes.size());
      absl::StatusOr<Tensor> tensor = opened->Find(name);
      if (!tensor.ok()) continue;
      unsigned sum = 0;
      for (int64_t i = 0; i < tensor->bytes(); ++i) sum += static_cast<unsigned>(tensor->raw()[i]);
      EXPECT_LE(sum, 255u * bytes.size());
    }
    return absl::OkStatus();
  }
};

std::string Framed(uint64_t length, const std::string& rest) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + rest;
}
std::string File(const std::string& header, size_t data_bytes) {
  return Framed(header.size(), header + std::string(data_bytes, 'd'));
}
// {"a": <entry>} with `data_bytes` of data.
std::string Entry(const std::string& entry, size_t data_bytes) { return File("{\"a\":" + entry + "}", data_bytes); }
std::string F32(const std::string& shape, const std::string& offsets, size_t data_bytes) {
  return Entry(R"({"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}", data_bytes);
}

struct Mutation {
  const char* why;  // part of the message
  std::string bytes;
};

std::vector<Mutation> Mutations() {
  const std::string good = R"({"dtype":"F32","shape":[2],"data_offsets":[0,8]})";
  const std::string next = R"({"dtype":"F32","shape":[2],"data_offsets":)";
  return {
      {"only 0 bytes long", ""},
      {"only 7 bytes long", "1234567"},
      {"said to be 100 bytes long, in a file of 10", Framed(100, "{}")},
      {"said to be 18446744073709551615 bytes long", Framed(UINT64_MAX, "{}")},
      {"said to be 9223372036854775807 bytes long", Framed(INT64_MAX, "{}")},
      {"does not start with {", Framed(0, "")},
      {"does not start with {", File("[]", 0)},
      {"does not start with {", File(" {}", 0)},
      {"does not start with {", File("\xef\xbb\xbf{}", 0)},
      {"not valid JSON", File("{\"a\":", 0)},
      {"not valid JSON", File("{} {}", 0)},
      {"NUL byte", File(std::string("{}\0", 3), 0)},
      {"not valid JSON", File("{\"\xff\":" + good + "}", 8)},
      {"duplicate key \"a\"", File("{\"a\":" + good + ",\"a\":" + good + "}", 8)},
      {"duplicate key \"shape\"", Entry(R"({"dtype":"F32","shape":[2],"shape":[1],"data_offsets":[0,8]})", 8)},
      {"duplicate key \"__metadata__\"", File("{\"__metadata__\":{},\"__metadata__\":{}}", 0)},
      {"nested deeper", File("{\"a\":{\"shape\":" + std::string(50000, '[') + "}}", 0)},
      {"its entry is not an object", Entry("5", 0)},
      {"\"dtype\" is missing", Entry(R"({"shape":[2],"data_offsets":[0,8]})", 8)},
      {"expected a string", Entry(R"({"dtype":1,"shape":[2],"data_offsets":[0,8]})", 8)},
      {"unknown dtype \"F31\"", Entry(R"({"dtype":"F31","shape":[2],"data_offsets":[0,8]})", 8)},
      {"unknown field \"size\"", Entry(R"({"dtype":"F32","shape":[2],"data_offsets":[0,8],"size":8})", 8)},
      {"shape is missing or not an array", Entry(R"({"dtype":"F32","data_offsets":[0,8]})", 8)},
      {"shape is missing or not an array", F32("2", "[0,8]", 8)},
      {"shape holds something that is not a size", F32("[-2]", "[0,8]", 8)},
      {"shape holds something that is not a size", F32("[2.0]", "[0,8]", 8)},
      {"shape holds something that is not a size", F32("[9223372036854775808]", "[0,8]", 8)},
      {"shape holds something that is not a size", F32("[\"2\"]", "[0,8]", 8)},
      {"the product of its shape overflows", F32("[4294967296,4294967296]", "[0,8]", 8)},
      {"the product of its shape overflows", F32("[9223372036854775807]", "[0,8]", 8)},
      // Empty, but its strides could not be counted.
      {"the product of its shape overflows", F32("[0,4611686018427387904,4611686018427387904]", "[0,0]", 0)},
      {"more than 6 axes: 7", F32("[1,1,1,1,1,1,2]", "[0,8]", 8)},
      {"data_offsets is not two sizes", F32("[2]", "[0]", 8)},
      {"data_offsets is not two sizes", F32("[2]", "[0,8,8]", 8)},
      {"data_offsets is not two sizes", F32("[2]", "[-1,7]", 8)},
      {"data_offsets is not two sizes", F32("[2]", "{}", 8)},
      {"data_offsets ends before it begins", F32("[2]", "[8,0]", 8)},
      {"ends at byte 16, past the 8 bytes of data", F32("[4]", "[0,16]", 8)},
      {"ends at byte 9223372036854775807, past", F32("[2]", "[9223372036854775799,9223372036854775807]", 8)},
      {"F32[3] needs 12 bytes, data_offsets give it 8", F32("[3]", "[0,8]", 8)},
      {"F32[] needs 4 bytes, data_offsets give it 8", F32("[]", "[0,8]", 8)},
      {"overlaps another tensor's", File("{\"a\":" + good + ",\"b\":" + next + "[4,12]}}", 12)},
      {"overlaps another tensor's", File("{\"a\":" + good + ",\"b\":" + good + "}", 8)},
      {"a hole of 4 bytes", File("{\"a\":" + good + ",\"b\":" + next + "[12,20]}}", 20)},
      {"a hole of 4 bytes", F32("[1]", "[4,8]", 8)},
      {"last 1 bytes belong to no tensor", File("{\"a\":" + good + "}", 9)},
      {"last 5 bytes belong to no tensor", File("{}", 5)},
      {"__metadata__ is not an object", File("{\"__metadata__\":[]}", 0)},
      {"__metadata__ holds something that is not text", File("{\"__metadata__\":{\"a\":1}}", 0)},
  };
}

TEST_F(SafetensorsHostileTest, EachMutationIsRefusedWithItsMessage) {
  ASSERT_TRUE(Try(F32("[2]", "[0,8]", 8)).ok()) << "what the mutations start from";
  for (const Mutation& mutation : Mutations()) {
    const absl::Status status = Try(mutation.bytes);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << mutation.why;
    EXPECT_THAT(std::string(status.message()), HasSubstr(mutation.why));
    EXPECT_THAT(std::string(status.message()), HasSubstr(path() + ": "));
    EXPECT_THAT(std::string(status.message()), HasSubstr("Download or convert it again"));
  }
}

TEST_F(SafetensorsHostileTest, ErrorsNameTheTensor) {
  EXPECT_THAT(std::string(Try(F32("[3]", "[0,8]", 8)).message()), HasSubstr("tensor \"a\": "));
}

TEST_F(SafetensorsHostileTest, AHeaderBeyondTheFormatsBound) {
  // Sparse: a hundred megabytes that take no room.
  FILE* file = fopen(path().c_str(), "wb");
  const std::string start = Framed(100'000'001, "{");
  fwrite(start.data(), 1, start.size(), file);
  ASSERT_EQ(ftruncate(fileno(file), 8 + 100'000'001), 0);
  fclose(file);
  EXPECT_THAT(std::string(SafetensorsFile::Open(path()).status().message()), HasSubstr("the format allows 100000000"));
}

std::string SmallFile(const std::string& path) {
  EXPECT_TRUE(WriteSafetensors(path,
                               {{"w", Tensor::Of({1, 2, 3, 4}, {2, 2})},
                                {"b", Tensor::Of(std::vector<BFloat16>{BFloat16(1.0f)}, {1})},
                                {"n", Tensor::Of(std::vector<int64_t>{5}, {1})}},
                               {{"format", "pt"}})
                  .ok());
  return ReadFile(path).value();
}

TEST_F(SafetensorsHostileTest, EveryTruncationIsRefused) {
  const std::string whole = SmallFile(path());
  ASSERT_TRUE(Try(whole).ok());
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(Try(whole.substr(0, size)).ok()) << size;
  EXPECT_FALSE(Try(whole + "x").ok());
}

TEST_F(SafetensorsHostileTest, RandomDamageNeverCrashes) {
  const std::string whole = SmallFile(path());
  const size_t header_end = whole.size() - 26;
  uint32_t state = 1;
  auto random = [&](size_t below) {
    state = state * 1664525u + 1013904223u;
    return static_cast<size_t>(state >> 8) % below;
  };
  int refused = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string damaged = whole;
    for (size_t edits = 1 + random(3); edits > 0; --edits) {
      const size_t at = random(header_end);
      switch (random(3)) {
        case 0:
          damaged[at] = static_cast<char>(random(256));
          break;
        case 1:
          damaged.erase(at, 1 + random(4));
          break;
        case 2:
          damaged.insert(at, 1, "0123456789[]{},:\""[random(17)]);
          break;
      }
    }
    refused += !Try(damaged).ok();
  }
  EXPECT_GT(refused, 2500);
}

}  // namespace
}  // namespace quern
