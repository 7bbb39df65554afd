#include "base/testing.h"

#include <stdlib.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

namespace quern {
namespace {

constexpr double kPatienceSeconds = 120;

std::string NewFolder() {
  std::string made = ::testing::TempDir() + "/folder_XXXXXX";
  CHECK(mkdtemp(made.data()) != nullptr) << made;
  return std::filesystem::canonical(made);
}

}  // namespace

FolderTest::FolderTest() : folder_(NewFolder()) {}
FolderTest::~FolderTest() { EXPECT_TRUE(RemoveAll(folder_).ok()); }

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

bool Eventually(const std::function<bool()>& condition) {
  for (const double end = MonotonicSeconds() + kPatienceSeconds; MonotonicSeconds() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

}  // namespace quern
