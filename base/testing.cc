#include "base/testing.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

namespace quern {
namespace {

constexpr double kPatienceSeconds = 120;

std::string NewFolder() {
  std::string made = ::testing::TempDir() + "/test_XXXXXX";
  CHECK(mkdtemp(made.data()) != nullptr) << made;
  return std::filesystem::canonical(made);
}

}  // namespace

FolderTest::FolderTest() : root_(NewFolder()) {}
FolderTest::~FolderTest() { CHECK_OK(RemoveAll(root_)); }

std::string FolderTest::Path(const std::string& name) const { return JoinPath(root_, name); }

void FolderTest::Put(const std::string& name, const std::string& bytes) const {
  CHECK_OK(MakeFolders(Dirname(Path(name))));
  CHECK_OK(WriteFileAtomic(Path(name), bytes));
}

std::string FolderTest::Get(const std::string& name) const {
  absl::StatusOr<std::string> bytes = ReadFile(Path(name));
  CHECK_OK(bytes.status());
  return *std::move(bytes);
}

bool Eventually(const std::function<bool()>& condition) {
  for (const double end = MonotonicSeconds() + kPatienceSeconds; MonotonicSeconds() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return condition();
}

}  // namespace quern
