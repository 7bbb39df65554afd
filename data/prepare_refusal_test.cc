// What prepare refuses, and that what was there before then stays as it was.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cmath>
#include <csignal>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "data/prepare.h"
#include "data/prepare_testing.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

TEST_F(PrepareTest, RefusesToReplaceForeignFiles) {
  Write("in.txt", Numbered(50));
  for (const char* name : {"train.txt", "README.md", "metadata.json", "smoke.txt"}) {
    Write(absl::StrCat("out/", name), "{\"mine\": true}");
    EXPECT_TRUE(absl::StrContains(Refusal(Options("in.txt")), name));
    ASSERT_TRUE(RemoveAll(Path("out")).ok());
  }
  ASSERT_TRUE(MakeFolders(Path("out/test.txt")).ok());
  Refusal(Options("in.txt"));
  ASSERT_TRUE(RemoveAll(Path("out")).ok());
  Write("out", "a file");
  Refusal(Options("in.txt"));
}

TEST_F(PrepareTest, RefusesToWriteOverItsInput) {
  Write("out/train.txt", Numbered(50));
  EXPECT_TRUE(absl::StrContains(Refusal(Options("out/train.txt")), "would replace the input"));
  // The same through a link, hard or symbolic.
  Write("in.txt", Numbered(50));
  ASSERT_TRUE(RemoveAll(Path("out")).ok());
  ASSERT_TRUE(MakeFolders(Path("out")).ok());
  ASSERT_EQ(link(Path("in.txt").c_str(), Path("out/test.txt").c_str()), 0);
  EXPECT_TRUE(absl::StrContains(Refusal(Options("in.txt")), "would replace the input"));
  ASSERT_TRUE(RemoveAll(Path("out/test.txt")).ok());
  ASSERT_EQ(symlink("../in.txt", Path("out/train.txt").c_str()), 0);
  EXPECT_TRUE(absl::StrContains(Refusal(Options("in.txt")), "would replace the input"));
  ASSERT_TRUE(RemoveAll(Path("out")).ok());
  // A former prepare's own output as the input of the next.
  ASSERT_TRUE(Prepare(Options("in.txt")).ok());
  EXPECT_TRUE(absl::StrContains(Refusal(Options("out/train.txt")), "would replace the input"));
  // A folder that would read its own output the next time.
  PrepareOptions inside = Options("");
  inside.output_dir = Path("fresh");
  EXPECT_TRUE(absl::StrContains(Refusal(inside), "lies in the input folder"));
}

TEST_F(PrepareTest, AnInterruptChangesNothing) {
  Write("in.txt", Numbered(50));
  Write("other.txt", Numbered(70, "other"));
  SimulateInterrupt(SIGINT);
  Refusal(Options("in.txt"), absl::StatusCode::kCancelled);
  SimulateInterrupt(0);
  ASSERT_TRUE(Prepare(Options("in.txt")).ok());
  SimulateInterrupt(SIGTERM);
  EXPECT_TRUE(absl::StrContains(Refusal(Options("other.txt"), absl::StatusCode::kCancelled), "nothing was written"));
}

TEST_F(PrepareTest, AnInputThatChangesMeanwhileIsRefused) {
  const std::string path = Write("in.txt", Numbered(20000));
  std::atomic<bool> done = false;
  std::thread toucher([&] {
    for (time_t second = 1; !done; ++second) {
      const struct timespec times[2] = {{second, 0}, {second, 0}};
      utimensat(AT_FDCWD, path.c_str(), times, 0);
    }
  });
  EXPECT_TRUE(
      absl::StrContains(Refusal(Options("in.txt"), absl::StatusCode::kUnavailable), "changed while it was read"));
  done = true;
  toucher.join();
  EXPECT_TRUE(Prepare(Options("in.txt")).ok());
}

TEST_F(PrepareTest, AnErrorAtTheVeryEndChangesNothing) {
  std::string text;
  for (int i = 0; i < 2000; ++i) absl::StrAppend(&text, "{\"text\": \"record ", i, "\"}\n");
  Write("good.jsonl", text);
  Write("bad.jsonl", text + "{\"text\": \"cut off");
  EXPECT_TRUE(absl::StrContains(Refusal(Options("bad.jsonl")), "bad.jsonl line 2001"));
  ASSERT_TRUE(Prepare(Options("good.jsonl")).ok());
  Refusal(Options("bad.jsonl"));
}

TEST_F(PrepareTest, ADiskThatIsFullChangesNothing) {
  Write("in.txt", Numbered(50));
  Write("large.txt", Numbered(20000));
  ASSERT_TRUE(Prepare(Options("in.txt")).ok());
  const Files before = FilesIn("out"), root = FilesIn("");
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit small = {30000, old.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const absl::Status status = Prepare(Options("large.txt")).status();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_EQ(FilesIn("out"), before);
  EXPECT_EQ(FilesIn(""), root);
}

TEST_F(PrepareTest, RefusesWhatIsNotText) {
  Write("empty.txt", "");
  EXPECT_TRUE(absl::StrContains(Refusal(Options("empty.txt")), "empty"));
  Write("blank.txt", "\n \n\t\n");
  EXPECT_TRUE(absl::StrContains(Refusal(Options("blank.txt")), "blank.txt"));
  Write("nul.txt", std::string_view("some text\0more\n", 15));
  EXPECT_TRUE(absl::StrContains(Refusal(Options("nul.txt")), "offset 9"));
  std::string latin;
  for (int i = 0; i < 500; ++i)
    latin +=
        "\xE9\xE8\xFC"
        "a\n";
  Write("latin1.txt", latin);
  EXPECT_TRUE(absl::StrContains(Refusal(Options("latin1.txt")), "offset 0"));
  Write("utf16.txt", std::string_view("\xFF\xFEh\0i\0\n\0", 8));
  EXPECT_TRUE(absl::StrContains(Refusal(Options("utf16.txt")), "UTF-16"));
  Write("two.txt", "one\ntwo\none\n");
  EXPECT_TRUE(absl::StrContains(Refusal(Options("two.txt")), "2 distinct records for 3 splits"));
}

TEST_F(PrepareTest, RefusesWhatIsNotThere) {
  Write("input.txt", Numbered(10));
  EXPECT_TRUE(absl::StrContains(Refusal(Options("imput.txt"), absl::StatusCode::kNotFound), "input.txt"));
  Refusal(Options("no/*.txt"), absl::StatusCode::kNotFound);
  ASSERT_TRUE(MakeFolders(Path("nothing")).ok());
  EXPECT_TRUE(absl::StrContains(Refusal(Options("nothing")), "no files"));
  PrepareOptions device = Options("");
  device.input_file = "/dev/null";
  EXPECT_TRUE(absl::StrContains(Refusal(device), "not a regular file"));
}

TEST_F(PrepareTest, RefusesMixedKindsAndUnitsThatMakeNoSense) {
  Write("in/a.txt", Numbered(10));
  Write("in/b.jsonl", "{\"text\": \"a\"}\n");
  EXPECT_TRUE(absl::StrContains(Refusal(Options("in")), "b.jsonl is jsonl"));
  PrepareOptions paragraphs = Options("in/b.jsonl");
  paragraphs.unit = RecordUnit::kParagraph;
  EXPECT_TRUE(absl::StrContains(Refusal(paragraphs), "--unit paragraph"));
  Write("no_text.jsonl", "{\"text\": \"a\"}\n{\"txt\": \"b\"}\n");
  EXPECT_TRUE(absl::StrContains(Refusal(Options("no_text.jsonl")), "line 2"));
}

TEST(PrepareOptionsTest, NamesTheFlagThatIsWrong) {
  PrepareOptions good;
  good.input_file = "in";
  good.output_dir = "out";
  EXPECT_TRUE(CheckPrepareOptions(good).ok());
  const auto says = [](const PrepareOptions& options, const char* what) {
    const absl::Status status = CheckPrepareOptions(options);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_TRUE(absl::StrContains(status.message(), what)) << status;
  };
  PrepareOptions options = good;
  options.input_file = "";
  says(options, "--input_file");
  options = good;
  options.output_dir = "";
  says(options, "--output_dir");
  options = good;
  options.test_ratio = .2;
  says(options, "= 1.1");
  options = good;
  options.val_ratio = -.1;
  options.train_ratio = 1;
  says(options, "--val_ratio");
  options = good;
  options.train_ratio = std::nan("");
  says(options, "--train_ratio");
  options = good;
  options.train_ratio = .7;  // .7 + .1 + .2 is not 1 in binary
  options.test_ratio = .2;
  EXPECT_TRUE(CheckPrepareOptions(options).ok());
}

}  // namespace
}  // namespace quern
