#include "base/foreign_file.h"

#include "base/file.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

std::string NameOf(std::string_view beginning) {
  const ForeignFile* file = FindForeignFile(beginning);
  return file == nullptr ? "" : std::string(file->name);
}

TEST(ForeignFile, KnowsFilesByTheirFirstBytes) {
  EXPECT_EQ(NameOf("GGUF\3"), "a GGUF file");
  EXPECT_EQ(NameOf("FUGG\1"), "a GGUF file with its magic number reversed (before version 1, or big-endian)");
  EXPECT_EQ(NameOf("PK\3\4      archive/data.pklFB"), "a PyTorch checkpoint, which holds pickles");
  EXPECT_EQ(NameOf("PK\3\4      x.npy"), "a zip archive");
  EXPECT_EQ(NameOf("\x80\2}q"), "a Python pickle");
  for (const char* other : {"", "G", "GGU", "{}", "once upon a time", "\x80"}) EXPECT_EQ(NameOf(other), "") << other;
  // Only the beginning counts: a long archive may hold anything.
  EXPECT_EQ(NameOf("PK\3\4" + std::string(5000, 'x') + "data.pkl"), "a zip archive");
}

TEST(ForeignFile, OfAPath) {
  const std::string path = ::testing::TempDir() + "/foreign_file_test.bin";
  ASSERT_TRUE(WriteFileAtomic(path, "GGUF").ok());
  ASSERT_NE(FindForeignFileAt(path), nullptr);
  EXPECT_EQ(FindForeignFileAt(path)->name, "a GGUF file");
  EXPECT_EQ(FindForeignFileAt(path + ".nowhere"), nullptr);
  EXPECT_EQ(FindForeignFileAt(::testing::TempDir()), nullptr);
}

}  // namespace
}  // namespace quern
