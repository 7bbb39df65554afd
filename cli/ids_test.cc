#include "cli/ids.h"

#include "cli/exit_status.h"
#include "gtest/gtest.h"

namespace quern::cli {
namespace {

using Ids = std::vector<int32_t>;

TEST(IdsTest, AListReadsWithAndWithoutBrackets) {
  EXPECT_EQ(*ParseIdList("1,2,3", "--ids"), (Ids{1, 2, 3}));
  EXPECT_EQ(*ParseIdList(" 1, 2 ", "--ids"), (Ids{1, 2}));
  EXPECT_EQ(*ParseIdList("[7]", "--ids"), (Ids{7}));
  EXPECT_EQ(*ParseIdList("", "--ids"), Ids{});
  for (const char* bad : {"a", "1,", ",1", "1 2", "-1", "1.5", "2147483648", "[1", "1]x", "[1]]"}) {
    EXPECT_EQ(ExitStatus(ParseIdList(bad, "--ids").status()), kUsage) << bad;
  }
}

TEST(IdsTest, ArraysReadOneAfterAnother) {
  std::vector<Ids> all;
  const auto take = [&](Ids ids) {
    all.push_back(std::move(ids));
    return absl::OkStatus();
  };
  ASSERT_TRUE(ParseIdArrays("[1, 2]\n[]\r\n [3][4,\n5]\n\n", "in", take).ok());
  EXPECT_EQ(all, (std::vector<Ids>{{1, 2}, {}, {3}, {4, 5}}));
  for (const char* bad : {"[1 2]", "1", "[1", "[1,]", "[\"a\"]", "[1.0]", "[-1]", "[01]", "[99999999999]"}) {
    const absl::Status status = ParseIdArrays(std::string("[1]\n") + bad, "in", take);
    EXPECT_EQ(ExitStatus(status), kInputRefused) << bad;
    EXPECT_EQ(std::string(status.message()).substr(0, 11), "in, line 2:") << bad;
  }
}

TEST(IdsTest, FormattingIsWhatReadingTakes) {
  const Ids ids = {0, 5, 2147483647};
  EXPECT_EQ(FormatIds(ids), "[0, 5, 2147483647]");
  EXPECT_EQ(FormatIds(Ids{}), "[]");
  EXPECT_EQ(*ParseIdList(FormatIds(ids), "--ids"), ids);
}

}  // namespace
}  // namespace quern::cli
