#include "data/prepare.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdlib>
#include <map>
#include <set>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/lineage.h"
#include "base/sha256.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Records = std::vector<std::string>;
using Files = std::map<std::string, std::string>;  // name -> bytes

// Every test has a folder of its own.
class PrepareTest : public testing::Test {
 protected:
  void SetUp() override {
    const char* name = testing::UnitTest::GetInstance()->current_test_info()->name();
    root_ = JoinPath(testing::TempDir(), absl::StrCat("prepare_", name));
    ASSERT_TRUE(RemoveAll(root_).ok());
    ASSERT_TRUE(MakeFolders(root_).ok());
  }
  void TearDown() override { SimulateInterrupt(0); }

  std::string Path(const std::string& name) const { return JoinPath(root_, name); }
  std::string Write(const std::string& name, std::string_view bytes) const {
    EXPECT_TRUE(MakeFolders(Dirname(Path(name))).ok());
    EXPECT_TRUE(WriteFileAtomic(Path(name), bytes).ok());
    return Path(name);
  }
  std::string Read(const std::string& name) const {
    absl::StatusOr<std::string> bytes = ReadFile(Path(name));
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return bytes.value_or("");
  }
  Files FilesIn(const std::string& name) const {
    Files files;
    for (const std::string& file : ListFolder(Path(name)).value_or(Records{})) {
      const std::string path = JoinPath(name, file);
      files[file] = IsFolder(Path(path)) ? "(folder)" : Read(path);
    }
    return files;
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

  std::string root_;
};

std::string Numbered(int n, const std::string& word = "line") {
  std::string text;
  for (int i = 0; i < n; ++i) absl::StrAppend(&text, word, " ", i, "\n");
  return text;
}

TEST_F(PrepareTest, WritesSplitsThatCoverTheInputInOrder) {
  Write("in.txt", Numbered(1000));
  const auto result = Prepare(Options("in.txt"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->read, 1000);
  EXPECT_EQ(result->kept, 1000);
  EXPECT_EQ(result->train.records, 800);
  EXPECT_EQ(result->validation.records, 100);
  EXPECT_EQ(result->test.records, 100);
  std::set<std::string> seen;
  for (const char* name : {"out/train.txt", "out/validation.txt", "out/test.txt"}) {
    int last = -1;
    for (const std::string& line : Lines(name)) {
      EXPECT_TRUE(seen.insert(line).second) << line << " is in two splits";
      const int number = std::atoi(line.c_str() + 5);
      EXPECT_GT(number, last) << name;
      last = number;
    }
  }
  EXPECT_EQ(seen.size(), 1000u);
  EXPECT_EQ(Read("in.txt"), Numbered(1000));
}

TEST_F(PrepareTest, CountsEmptyRecordsAndDuplicates) {
  Write("in.txt", "a\n\nb\n  \nc\na\nb \na\n\td\n");
  PrepareOptions options = Options("in.txt");
  options.dedupe = true;
  options.unit = RecordUnit::kLine;
  const auto result = Prepare(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->read, 9);
  EXPECT_EQ(result->empty, 2);
  EXPECT_EQ(result->duplicates, 3);
  EXPECT_EQ(result->kept, 4);
  EXPECT_EQ(result->train.records + result->validation.records + result->test.records, 4);
}

TEST_F(PrepareTest, LowerMakesRecordsEqual) {
  Write("in.txt", "Ärger\nÄRGER\nb\nB\nc\nd\n");
  PrepareOptions options = Options("in.txt");
  options.lower = options.dedupe = true;
  options.train_ratio = 1;
  options.val_ratio = options.test_ratio = 0;
  const auto result = Prepare(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Read("out/train.txt"), "ärger\nb\nc\nd\n");
  EXPECT_EQ(Read("out/validation.txt"), "");
  EXPECT_EQ(Read("out/test.txt"), "");
  EXPECT_EQ(result->duplicates, 2);
}

TEST_F(PrepareTest, CleaningCanBeSwitchedOff) {
  const std::string text = "one  two \r\n\xFF\tthree\ncaf\x65\xCC\x81\n";
  Write("in.txt", text);
  PrepareOptions options = Options("in.txt");
  options.train_ratio = 1;
  options.val_ratio = options.test_ratio = 0;
  ASSERT_TRUE(Prepare(options).ok());
  EXPECT_EQ(Read("out/train.txt"), "one two\n\xEF\xBF\xBD three\ncaf\xC3\xA9\n");
  options.clean = false;
  ASSERT_TRUE(Prepare(options).ok());
  EXPECT_EQ(Read("out/train.txt"), text);
}

TEST_F(PrepareTest, HardWrappedTextGivesParagraphs) {
  std::string text;
  for (int i = 0; i < 40; ++i) {
    for (int line = 0; line < 4; ++line) {
      absl::StrAppend(&text, "This is paragraph number ", i, " of a book with wrapped lines, line ", line, "\n");
    }
    text += "which ends here.\n\n\n";
  }
  Write("in.txt", text);
  const auto result = Prepare(Options("in.txt"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->unit, RecordUnit::kParagraph);
  EXPECT_EQ(result->read, 40);
  EXPECT_EQ(result->train.records, 32);
  const Records paragraphs = absl::StrSplit(Read("out/train.txt"), "\n\n");
  EXPECT_EQ(paragraphs.size(), 32u);
  for (const std::string& paragraph : paragraphs)
    EXPECT_EQ(std::count(paragraph.begin(), paragraph.end(), '\n') / 4, 1);

  PrepareOptions lines = Options("in.txt");
  lines.unit = RecordUnit::kLine;
  EXPECT_EQ(Prepare(lines)->kept, 40 * 5);
}

TEST_F(PrepareTest, AFileCanBeARecord) {
  for (int i = 0; i < 10; ++i) Write(absl::StrCat("docs/", i, ".txt"), absl::StrCat("Document ", i, "\n\nwith two.\n"));
  PrepareOptions options = Options("docs");
  options.unit = RecordUnit::kFile;
  const auto result = Prepare(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->read, 10);
  EXPECT_EQ(result->train.records, 8);
}

TEST_F(PrepareTest, JsonLinesKeepTheirOtherFields) {
  std::string text;
  for (int i = 0; i < 20; ++i) {
    absl::StrAppend(&text, "{\"z\": 123456789012345678901234567890, \"text\": \"record  ", i,
                    " \\u00e9\", \"a\" : [1.50, {\"k\":null}] }\n");
  }
  Write("in.jsonl", text);
  const auto result = Prepare(Options("in.jsonl"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->format, TextFormat::kJsonl);
  EXPECT_EQ(result->train.file, "train.jsonl");
  EXPECT_EQ(result->train.records, 16);
  for (const std::string& line : Lines("out/train.jsonl")) {
    EXPECT_TRUE(absl::StartsWith(line, "{\"z\": 123456789012345678901234567890, \"text\": \"record ")) << line;
    EXPECT_TRUE(absl::EndsWith(line, "\", \"a\" : [1.50, {\"k\":null}] }")) << line;
    const auto json = ParseJson(line, "line");
    ASSERT_TRUE(json.ok()) << json.status();
    EXPECT_TRUE(absl::EndsWith((*json)["text"].get<std::string>(), " \xC3\xA9"));
    EXPECT_FALSE(absl::StrContains(line, "  ")) << "not cleaned: " << line;
  }
  PrepareOptions raw = Options("in.jsonl");
  raw.clean = false;
  ASSERT_TRUE(Prepare(raw).ok());
  for (const std::string& line : Lines("out/train.jsonl")) EXPECT_TRUE(absl::StrContains(text, line + "\n")) << line;
}

TEST_F(PrepareTest, TextAloneDecidesTheSplitOfAJsonLine) {
  std::string text;
  for (int i = 0; i < 200; ++i) absl::StrAppend(&text, "{\"id\":", i, ",\"text\":\"text ", i % 50, "\"}\n");
  Write("in.jsonl", text);
  ASSERT_TRUE(Prepare(Options("in.jsonl")).ok());
  std::map<std::string, std::set<std::string>> splits;
  for (const char* name : {"train", "validation", "test"}) {
    for (const std::string& line : Lines(absl::StrCat("out/", name, ".jsonl"))) {
      splits[(*ParseJson(line, "line"))["text"].get<std::string>()].insert(name);
    }
  }
  EXPECT_EQ(splits.size(), 50u);
  for (const auto& [record, in] : splits) EXPECT_EQ(in.size(), 1u) << record;
}

TEST_F(PrepareTest, FoldersAndGlobsAreReadInNameOrder) {
  Write("in/b.txt", "b1\nb2\n");
  Write("in/a/z.txt", "az\n");
  Write("in/a.txt", "a1\na2");
  Write("in/.hidden", "hidden\n");
  Write("in/c.md", "c\n");
  PrepareOptions options = Options("in");
  options.train_ratio = 1;
  options.val_ratio = options.test_ratio = 0;
  auto result = Prepare(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Read("out/train.txt"), "a1\na2\naz\nb1\nb2\nc\n");
  EXPECT_EQ(result->metadata["source"]["files"].size(), 4u);
  options.input_file = Path("in/*.txt");
  result = Prepare(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(Read("out/train.txt"), "a1\na2\nb1\nb2\n");
  EXPECT_EQ(result->metadata["source"]["files"][1]["path"], "../in/b.txt");
}

TEST_F(PrepareTest, SmokeHasTenToFiftyLinesOfTheTrainingSplit) {
  for (int n : {13, 20, 100, 5000}) {
    Write("in.txt", Numbered(n));
    ASSERT_TRUE(Prepare(Options("in.txt")).ok());
    const Records smoke = Lines("out/smoke.txt"), train = Lines("out/train.txt");
    EXPECT_GE(smoke.size(), 10u) << n;
    EXPECT_LE(smoke.size(), 50u) << n;
    const std::set<std::string> known(train.begin(), train.end());
    for (const std::string& line : smoke) EXPECT_TRUE(known.count(line)) << line;
  }
}

TEST_F(PrepareTest, MetadataNamesEverythingByItsDigest) {
  Write("in.txt", Numbered(100) + "\n" + "line 1\n");
  PrepareOptions options = Options("in.txt");
  options.seed = 7;
  options.dedupe = true;
  const auto result = Prepare(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->metadata_path, Path("out/metadata.json"));
  const auto metadata = ReadSealedArtefact(Path("out/metadata.json"), "data");
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  const Json& m = *metadata;
  EXPECT_EQ(m["source"]["path"], "../in.txt");
  EXPECT_EQ(m["source"]["sha256"], *Sha256File(Path("in.txt")));
  EXPECT_EQ(m["source"]["bytes"], Read("in.txt").size());
  EXPECT_EQ(m["counts"], (Json{{"read", 102}, {"empty", 1}, {"duplicates", 1}, {"kept", 100}}));
  const std::map<std::string, int> records = {{"train", 80}, {"validation", 10}, {"test", 10}};
  ASSERT_EQ(m["splits"].size(), 3u);
  for (const auto& [split, count] : records) {
    const Json& entry = m["splits"][split];
    EXPECT_EQ(entry["file"], split + ".txt");
    EXPECT_EQ(entry["records"], count);
    EXPECT_EQ(entry["bytes"], Read("out/" + split + ".txt").size());
    EXPECT_EQ(entry["sha256"], *Sha256File(Path("out/" + split + ".txt")));
  }
  EXPECT_EQ(m["outputs"]["smoke"]["sha256"], *Sha256File(Path("out/smoke.txt")));
  EXPECT_EQ(m["settings"]["seed"], 7);
  EXPECT_EQ(m["settings"]["dedupe"], true);
  EXPECT_EQ(m["settings"]["train_ratio"], 0.8);
  EXPECT_EQ(m["settings"]["unit"], "line");
  EXPECT_TRUE(m["timestamp"].is_string());
}

TEST_F(PrepareTest, TheCardSaysWhatWasDone) {
  std::string text;
  for (int i = 0; i < 1500; ++i)
    absl::StrAppend(&text, "It was the best of times and it was the worst of them, ", i, "\n");
  Write("a book.txt", text);
  ASSERT_TRUE(Prepare(Options("a book.txt")).ok());
  const std::string card = Read("out/README.md");
  EXPECT_TRUE(absl::StartsWith(card, "---\n"));
  for (const std::string& part :
       {std::string("pretty_name: \"a book.txt\"\n"), std::string("language:\n- en\n"), std::string("- 1K<n<10K\n"),
        std::string("  - split: train\n    path: train.txt\n"), std::string("num_examples: 1200\n"),
        absl::StrCat("num_bytes: ", Read("out/test.txt").size(), "\n"), std::string("80.00 %"),
        *Sha256File(Path("a book.txt")), std::string("quern prepare --input_file '../a book.txt' --output_dir . "),
        std::string("| kept | 1,500 |")}) {
    EXPECT_TRUE(absl::StrContains(card, part)) << "missing: " << part << "\nin:\n" << card;
  }
}

TEST_F(PrepareTest, SameBytesAtAnyThreadCount) {
  std::string text;
  for (int i = 0; i < 40000; ++i) absl::StrAppend(&text, "record ", i % 30000, i % 7 == 0 ? "  \xFF" : "", "\n");
  Write("in.txt", text);
  Files first;
  for (int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    ScopedThreadPool scope(pool);
    ASSERT_TRUE(Prepare(Options("in.txt")).ok());
    Files files = FilesIn("out");
    Json metadata = *ParseJson(files["metadata.json"], "metadata");
    metadata.erase("timestamp");
    metadata.erase("self_sha256");
    files["metadata.json"] = WriteJson(metadata);
    if (first.empty()) first = files;
    EXPECT_EQ(files.size(), 6u);
    EXPECT_TRUE(files == first) << threads << " threads";
  }
}

TEST_F(PrepareTest, SeedMovesRecords) {
  Write("in.txt", Numbered(200));
  PrepareOptions options = Options("in.txt");
  ASSERT_TRUE(Prepare(options).ok());
  const std::string before = Read("out/test.txt");
  options.seed = 1;
  ASSERT_TRUE(Prepare(options).ok());
  EXPECT_NE(Read("out/test.txt"), before);
}

TEST_F(PrepareTest, ReplacesAFormerPreparesFilesAndKeepsOthers) {
  Write("in.txt", Numbered(50));
  Write("in.jsonl", "{\"text\": \"a\"}\n{\"text\": \"b\"}\n{\"text\": \"c\"}\n");
  Write("out/notes.md", "mine");
  Write("out/more/file", "mine too");
  ASSERT_TRUE(Prepare(Options("in.jsonl")).ok());
  EXPECT_TRUE(FileExists(Path("out/train.jsonl")));
  ASSERT_TRUE(Prepare(Options("in.txt")).ok());
  EXPECT_FALSE(FileExists(Path("out/train.jsonl")));  // would pass for a split of the new data
  EXPECT_EQ(Read("out/notes.md"), "mine");
  EXPECT_EQ(Read("out/more/file"), "mine too");
  EXPECT_EQ(FilesIn("out").size(), 8u);
  EXPECT_TRUE(ReadSealedArtefact(Path("out/metadata.json"), "data").ok());
}

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

TEST_F(PrepareTest, TheInputIsOnlyRead) {
  const std::string path = Write("in.txt", Numbered(50));
  struct stat before, after;
  ASSERT_EQ(chmod(path.c_str(), 0444), 0);
  ASSERT_EQ(stat(path.c_str(), &before), 0);
  ASSERT_TRUE(Prepare(Options("in.txt")).ok());
  ASSERT_EQ(stat(path.c_str(), &after), 0);
  EXPECT_EQ(before.st_ino, after.st_ino);
  EXPECT_EQ(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
  EXPECT_EQ(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
  EXPECT_EQ(before.st_mode, after.st_mode);
  EXPECT_EQ(Read("in.txt"), Numbered(50));
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
