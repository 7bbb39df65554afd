#include "base/testing.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "base/file.h"

namespace quern {

void FolderTest::SetUp() {
  std::string made = ::testing::TempDir() + "/folder_XXXXXX";
  ASSERT_NE(mkdtemp(made.data()), nullptr);
  folder_ = std::filesystem::canonical(made);
}

void FolderTest::TearDown() { EXPECT_TRUE(RemoveAll(folder_).ok()); }

std::string FolderTest::Path(std::string_view name) const { return JoinPath(folder_, name); }

std::string FolderTest::Write(const std::string& name, std::string_view bytes) const {
  const std::string path = Path(name);
  EXPECT_TRUE(MakeFolders(Dirname(path)).ok());
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

std::string FolderTest::Read(const std::string& name) const {
  const absl::StatusOr<std::string> bytes = ReadFile(Path(name));
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

std::map<std::string, std::string> FolderTest::FilesIn(const std::string& name) const {
  std::map<std::string, std::string> files;
  const auto names = ListFolder(Path(name));
  if (!names.ok()) return files;
  for (const std::string& file : *names) {
    const std::string path = JoinPath(name, file);
    files[file] = IsFolder(Path(path)) ? "(folder)" : Read(path);
  }
  return files;
}

std::string FixturesFolder() {
  const char* folder = std::getenv("QUERN_FIXTURES");
  return folder == nullptr ? "" : folder;
}

}  // namespace quern
