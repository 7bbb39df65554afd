#include "data/record_reader.h"

#include <cstdio>
#include <cstdlib>

#include "base/file.h"
#include "data/input_files.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

std::string TestFile(const std::string& name, std::string_view bytes) {
  const std::string path = JoinPath(testing::TempDir(), name);
  EXPECT_TRUE(MakeFolders(Dirname(path)).ok());
  EXPECT_TRUE(WriteFileAtomic(path, bytes).ok());
  return path;
}

absl::StatusOr<std::vector<std::string>> ReadAll(std::vector<std::string> files, RecordShape shape, uint64_t block) {
  RecordReader reader(std::move(files), shape, block);
  std::vector<std::string> records;
  RecordBlock one;
  size_t file = 0;
  int64_t in_file = 0;
  while (true) {
    auto more = reader.Next(&one);
    if (!more.ok()) return more.status();
    if (!*more) return records;
    if (one.file != file) in_file = 0, file = one.file;
    EXPECT_EQ(one.first_index, in_file);
    in_file += static_cast<int64_t>(one.records.size());
    for (std::string_view record : one.records) records.emplace_back(record);
  }
}

using Records = std::vector<std::string>;

TEST(RecordReader, LinesHoweverTheyEnd) {
  const std::string path = TestFile("lines",
                                    "\xEF\xBB\xBF"
                                    "one\r\ntwo\n\nthree\rfour\r\r\nlast");
  for (uint64_t block : {1, 2, 3, 5, 7, 1000}) {
    EXPECT_EQ(*ReadAll({path}, {}, block), (Records{"one", "two", "", "three", "four", "", "last"})) << block;
    EXPECT_EQ(*ReadAll({path}, {.universal_newlines = false}, block), (Records{"\xEF\xBB\xBF"
                                                                               "one\r",
                                                                               "two", "", "three\rfour\r\r", "last"}));
  }
  EXPECT_EQ(*ReadAll({TestFile("end", "a\nb\n")}, {}, 100), (Records{"a", "b"}));
  EXPECT_EQ(*ReadAll({TestFile("cr", "a\r")}, {}, 1), (Records{"a"}));
  EXPECT_EQ(*ReadAll({TestFile("none", "")}, {}, 100), Records{});
}

TEST(RecordReader, Paragraphs) {
  const RecordShape shape = {.unit = RecordUnit::kParagraph};
  const std::string path = TestFile("paragraphs", "\n \n  a\nb\r\n\t\n\n\nc\n \n\nd\ne");
  for (uint64_t block : {1, 2, 3, 5, 7, 1000}) {
    EXPECT_EQ(*ReadAll({path}, shape, block), (Records{"  a\nb", "c", "d\ne"})) << block;
  }
  // The end of a file ends a paragraph.
  EXPECT_EQ(*ReadAll({path, TestFile("next", "f\n\n")}, shape, 9), (Records{"  a\nb", "c", "d\ne", "f"}));
  EXPECT_EQ(*ReadAll({TestFile("blank", "\n\n \n")}, shape, 2), Records{});
}

TEST(RecordReader, Files) {
  const RecordShape shape = {.unit = RecordUnit::kFile};
  EXPECT_EQ(*ReadAll({TestFile("f1", "a\n\nb\n"), TestFile("f2", ""), TestFile("f3", "c")}, shape, 2),
            (Records{"a\n\nb\n", "c"}));
}

// A classic Macintosh file has no LF: looking for one from every line would take time with the square of the size.
TEST(RecordReader, CarriageReturnsOnlyTakeLinearTime) {
  std::string text;
  for (int i = 0; i < 2000000; ++i) text += "ab\r";
  EXPECT_EQ(ReadAll({TestFile("mac", text)}, {}, RecordReader::kBlockBytes)->size(), 2000000u);
}

TEST(RecordReader, RefusesARecordThatIsTooLong) {
  const std::string path = TestFile("long", "a\n123456789\n1234567890\n");
  RecordReader reader({path}, {.universal_newlines = false}, /*block_bytes=*/3, /*max_record_bytes=*/9);
  RecordBlock block;
  for (const char* record : {"a", "123456789"}) {
    const absl::StatusOr<bool> more = reader.Next(&block);
    ASSERT_TRUE(more.ok()) << more.status();
    ASSERT_EQ(block.records.size(), 1u);
    EXPECT_EQ(block.records[0], record);
  }
  const absl::Status status = reader.Next(&block).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("record 2 is longer than 9 bytes"), absl::string_view::npos) << status;
}

TEST(RecordReader, RefusesWhatIsNotText) {
  auto nul = ReadAll({TestFile("nul", std::string("text\nte\0xt", 10))}, {}, 100);
  EXPECT_EQ(nul.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(nul.status().message().find("offset 7"), absl::string_view::npos) << nul.status();
  std::string binary(1000, 'a');
  for (size_t i = 300; i < 500; ++i) binary[i] = static_cast<char>(0x80 + i % 100);
  auto invalid = ReadAll({TestFile("binary", binary)}, {}, 2000);
  EXPECT_EQ(invalid.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(invalid.status().message().find("offset 300"), absl::string_view::npos) << invalid.status();
  auto gzip = ReadAll({TestFile("gzip", std::string("\x1F\x8B\x08\0\0\0", 6))}, {}, 100);
  EXPECT_NE(gzip.status().message().find("gunzip"), absl::string_view::npos) << gzip.status();
  EXPECT_EQ(ReadAll({"/no/such/file"}, {}, 100).status().code(), absl::StatusCode::kNotFound);
}

TEST(InputFiles, FileFolderAndGlob) {
  const std::string folder = JoinPath(testing::TempDir(), "inputs");
  ASSERT_TRUE(RemoveAll(folder).ok());
  const std::string a = TestFile("inputs/a.txt", "a"), b = TestFile("inputs/b/x.txt", "b"),
                    c = TestFile("inputs/c.txt", "c");
  TestFile("inputs/.hidden/h.txt", "h");
  TestFile("inputs/.h.txt", "h");
  EXPECT_EQ(*FindInputFiles(a), (Records{a}));
  EXPECT_EQ(*FindInputFiles(folder), (Records{a, b, c}));
  EXPECT_EQ(*FindInputFiles(JoinPath(folder, "*.txt")), (Records{a, c}));
  EXPECT_EQ(FindInputFiles(JoinPath(folder, "*.md")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindInputFiles(JoinPath(folder, "missing.txt")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(FindInputFiles("/dev/null").status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(MakeFolders(JoinPath(folder, "empty")).ok());
  EXPECT_EQ(FindInputFiles(JoinPath(folder, "empty")).status().code(), absl::StatusCode::kInvalidArgument);
  // A file whose name looks like a pattern is that file.
  const std::string odd = TestFile("inputs/[odd]*", "o");
  EXPECT_EQ(*FindInputFiles(odd), (Records{odd}));
}

}  // namespace
}  // namespace quern
