// What tests share that work with files: a folder of their own, and reference data made by others.
#ifndef QUERN_BASE_TESTING_H_
#define QUERN_BASE_TESTING_H_

#include <map>
#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace quern {

// Each test has a folder of its own: new, empty, and removed at the end. A fixture with a SetUp or TearDown of its own
// calls these too.
class FolderTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

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
  std::string folder_;
};

// The folder that the environment variable QUERN_FIXTURES names; "" where it names none, and then the test skips:
//   if (FixturesFolder().empty()) GTEST_SKIP() << kNoFixtures;
std::string FixturesFolder();
inline constexpr char kNoFixtures[] = "QUERN_FIXTURES names no folder of reference data";

}  // namespace quern

#endif  // QUERN_BASE_TESTING_H_
