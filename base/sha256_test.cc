#include "base/sha256.h"

#include "base/file.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

// FIPS 180-4's examples and the empty message.
constexpr char kEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kMillionA[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";

TEST(Sha256Test, KnownAnswers) {
  EXPECT_EQ(Sha256(""), kEmpty);
  EXPECT_EQ(Sha256("abc"), kAbc);
  EXPECT_EQ(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, InPieces) {
  Sha256Hasher hasher;
  for (int i = 0; i < 1000; ++i) hasher.Update(std::string(1000, 'a'));
  EXPECT_EQ(hasher.Finish(), kMillionA);
  // As new: one hasher serves many texts.
  EXPECT_EQ(hasher.Finish(), kEmpty);
  hasher.Update("abc");
  const std::array<uint8_t, 32> digest = hasher.FinishBytes();
  EXPECT_EQ(digest[0], 0xba);
  EXPECT_EQ(digest[31], 0xad);
}

TEST(Sha256Test, Files) {
  const std::string path = ::testing::TempDir() + "/sha256_test_file";
  ASSERT_TRUE(WriteFileAtomic(path, std::string(1'000'000, 'a')).ok());
  EXPECT_EQ(Sha256File(path).value(), kMillionA);
  ASSERT_TRUE(WriteFileAtomic(path, "").ok());
  EXPECT_EQ(Sha256File(path).value(), kEmpty);
  ASSERT_TRUE(RemoveAll(path).ok());
  EXPECT_EQ(Sha256File(path).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Sha256File("/dev/zero").status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace quern
