// What prepare writes. What it refuses: prepare_refusal_test.cc.
#include "data/prepare.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/lineage.h"
#include "base/sha256.h"
#include "base/thread_pool.h"
#include "data/prepare_testing.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

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

}  // namespace
}  // namespace quern
