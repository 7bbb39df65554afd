#include "cli/npy_writer.h"

#include <cstring>

#include "gtest/gtest.h"

namespace quern::cli {
namespace {

TEST(NpyWriterTest, RowsMayComeInAnyOrder) {
  const std::string path = JoinPath(::testing::TempDir(), "rows.npy");
  absl::StatusOr<NpyWriter> npy = NpyWriter::Create(path, 4, 2);
  ASSERT_TRUE(npy.ok());
  ASSERT_TRUE(npy->Put(3, std::vector<float>{7, 8}).ok());
  ASSERT_TRUE(npy->Put(0, std::vector<float>{1, 2}).ok());
  ASSERT_TRUE(npy->Put(1, std::vector<float>{3, 4, 5, 6}).ok());
  EXPECT_FALSE(FileExists(path));
  ASSERT_TRUE(npy->Commit().ok());
  const std::string bytes = *ReadFile(path);
  // NumPy's format: magic, version, header length, a header that ends the first 64 * n bytes with a newline.
  ASSERT_EQ(bytes.size(), 128 + 8 * sizeof(float));
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(bytes.substr(10, 59), "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 2), }");
  EXPECT_EQ(bytes[127], '\n');
  float values[8];
  std::memcpy(values, bytes.data() + 128, sizeof(values));
  for (int i = 0; i < 8; ++i) EXPECT_EQ(values[i], static_cast<float>(i + 1));
}

TEST(NpyWriterTest, NothingIsLeftWithoutCommit) {
  const std::string path = JoinPath(::testing::TempDir(), "never.npy");
  { ASSERT_TRUE(NpyWriter::Create(path, 1, 1).ok()); }
  EXPECT_FALSE(FileExists(path));
}

}  // namespace
}  // namespace quern::cli
