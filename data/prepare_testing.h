// A folder for each test of prepare, and what such tests ask of it.
#ifndef QUERN_DATA_PREPARE_TESTING_H_
#define QUERN_DATA_PREPARE_TESTING_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/interrupt.h"
#include "base/testing.h"
#include "data/prepare.h"
#include "gtest/gtest.h"

namespace quern {

class PrepareTest : public FolderTest {
 protected:
  using Records = std::vector<std::string>;
  using Files = std::map<std::string, std::string>;  // name -> bytes

  void TearDown() override {
    SimulateInterrupt(0);
  }

  PrepareOptions Options(const std::string& input) const {
    PrepareOptions options;
    options.input_file = Path(input);
    options.output_dir = Path("out");
    return options;
  }

  Records Lines(const std::string& name) const {
    Records lines = absl::StrSplit(Read(name), '\n');
    EXPECT_EQ(lines.back(), "") << name << " does not end with a line end";
    lines.pop_back();
    return lines;
  }

  // What prepare says, which must be a refusal that left no trace.
  std::string Refusal(const PrepareOptions& options, absl::StatusCode code = absl::StatusCode::kInvalidArgument) const {
    const Files root = FilesIn(""), out = FilesIn("out");
    const absl::Status status = Prepare(options).status();
    EXPECT_EQ(status.code(), code) << status;
    EXPECT_EQ(FilesIn(""), root);
    EXPECT_EQ(FilesIn("out"), out);
    return std::string(status.message());
  }

  // "line 0", "line 1", ... on lines of their own.
  static std::string Numbered(int n, const std::string& word = "line") {
    std::string text;
    for (int i = 0; i < n; ++i) absl::StrAppend(&text, word, " ", i, "\n");
    return text;
  }
};

}  // namespace quern

#endif  // QUERN_DATA_PREPARE_TESTING_H_
