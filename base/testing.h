// What tests share: a folder of their own, reference data made by others, and waiting for another thread.
#ifndef QUERN_BASE_TESTING_H_
#define QUERN_BASE_TESTING_H_

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace quern {

// Each test has a folder of its own: new, empty, and removed at the end.
class FolderTest : public ::testing::Test {
 protected:
  FolderTest();
  ~FolderTest() override;

  // Its path, links resolved.
  const std::string& folder() const { return folder_; }
  // Paths below it; "" is the folder itself.
  std::string Path(std::string_view name) const;
  // Writes a file (and the folders above it), not atomically: an inode that is there is kept. Returns its path.
  std::string Write(const std::string& name, std::string_view bytes) const;
  std::string Read(const std::string& name) const;
  // Names and bytes of what is in a folder; "(folder)" for folders.
  std::map<std::string, std::string> FilesIn(const std::string& name) const;

 private:
  const std::string folder_;
};

// The folder that the environment variable QUERN_FIXTURES names; "" where it names none, and then the test skips:
//   if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
std::string FixturesFolder();
inline constexpr char kNoFixtures[] = "QUERN_FIXTURES names no folder of reference data";

// Waits for what another thread brings about. The deadline is for tests that fail: far longer than any machine needs,
// under sanitizers and load too.
bool Eventually(const std::function<bool()>& condition);

}  // namespace quern

#endif  // QUERN_BASE_TESTING_H_
