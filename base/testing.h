// What tests share.
#ifndef QUERN_BASE_TESTING_H_
#define QUERN_BASE_TESTING_H_

#include <functional>
#include <string>

#include "gtest/gtest.h"

namespace quern {

// A test with a folder of its own, empty at first and gone afterwards. Its path holds no symbolic link.
class FolderTest : public ::testing::Test {
 protected:
  FolderTest();
  ~FolderTest() override;

  std::string Path(const std::string& name) const;
  // Folders on the way are made.
  void Put(const std::string& name, const std::string& bytes) const;
  std::string Get(const std::string& name) const;

  const std::string root_;
};

// Waits for what another thread brings about. The deadline is for tests that fail: far longer than any machine needs,
// under sanitizers and load too.
bool Eventually(const std::function<bool()>& condition);

}  // namespace quern

#endif  // QUERN_BASE_TESTING_H_
