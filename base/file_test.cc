#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/testing.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class FileTest : public FolderTest {
 protected:
  std::vector<std::string> Names() const { return ListFolder(folder()).value(); }
};

// Runs `body` with files limited to `bytes`, as on a disk that fills up.
template <typename Body>
void WithFileSizeLimit(rlim_t bytes, const Body& body) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  auto old_handler = signal(SIGXFSZ, SIG_IGN);
  rlimit limited{bytes, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limited), 0);
  body();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  signal(SIGXFSZ, old_handler);
}

TEST_F(FileTest, ReadsWhatWasWritten) {
  std::string bytes(3'000'001, 'x');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 31 >> 3);
  ASSERT_TRUE(WriteFileAtomic(Path("a"), bytes).ok());
  EXPECT_EQ(ReadFile(Path("a")).value(), bytes);
  EXPECT_EQ(FileSize(Path("a")).value(), bytes.size());
  std::string pieces;
  ASSERT_TRUE(ReadFilePieces(Path("a"), [&](std::string_view piece) { pieces += piece; }).ok());
  EXPECT_EQ(pieces, bytes);
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileTest, ReadBoundsSize) {
  Write("a", "12345");
  EXPECT_EQ(ReadFile(Path("a"), 5).value(), "12345");
  absl::Status status = ReadFile(Path("a"), 4).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("larger than 4 bytes"));
  EXPECT_EQ(ReadFile("/dev/zero", 10).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ReadFile("/dev/null").value(), "");
  EXPECT_FALSE(ReadFile("/proc/self/status").value().empty());  // its size is reported as 0
}

TEST_F(FileTest, ReadsInPiecesOfTheCallersSize) {
  Write("a", "12345");
  FileReader first = FileReader::Open(Path("a")).value();
  FileReader reader = std::move(first);
  char piece[3];
  EXPECT_EQ(reader.Read(piece, 3).value(), 3u);
  EXPECT_EQ(std::string_view(piece, 3), "123");
  EXPECT_EQ(reader.Read(piece, 3).value(), 2u);
  EXPECT_EQ(std::string_view(piece, 2), "45");
  EXPECT_EQ(reader.Read(piece, 3).value(), 0u);
  EXPECT_EQ(FileReader::Open(folder()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FileReader::Open(Path("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(FileTest, MissingFileSuggestsTheNearestName) {
  Write("train.txt", "");
  absl::Status status = ReadFile(Path("trian.txt")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("Did you mean \"train.txt\"?"));
  status = MappedFile::Open(Path("none/x")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none does not exist"));
}

TEST_F(FileTest, FoldersAndPipesAreNotFiles) {
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  for (const std::string& path : {folder(), Path("pipe")}) {
    EXPECT_EQ(MappedFile::Open(path).status().code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_EQ(ReadFilePieces(path, [](std::string_view) {}).code(), absl::StatusCode::kInvalidArgument) << path;
    EXPECT_EQ(FileSize(path).status().code(), absl::StatusCode::kInvalidArgument) << path;
  }
  EXPECT_EQ(ReadFile(folder()).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(WriteFileAtomic(folder(), "x").code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(FileTest, Maps) {
  Write("a", "abc");
  Write("empty", "");
  EXPECT_EQ(MappedFile::Open(Path("a")).value()->bytes(), "abc");
  EXPECT_EQ(MappedFile::Open(Path("empty")).value()->bytes(), "");
}

TEST_F(FileTest, AtomicFileAppearsOnlyOnCommit) {
  Write("a", "old");
  {
    AtomicFile file = AtomicFile::Create(Path("a")).value();
    ASSERT_TRUE(file.Append("new").ok());
    EXPECT_EQ(ReadFile(Path("a")).value(), "old");
    EXPECT_EQ(Names().size(), 2u);  // and the temporary one
    EXPECT_THAT(Names()[0], HasSubstr(".a.tmp-"));
  }
  EXPECT_EQ(ReadFile(Path("a")).value(), "old");
  EXPECT_THAT(Names(), ElementsAre("a"));

  AtomicFile first = AtomicFile::Create(Path("a")).value();
  AtomicFile file = std::move(first);
  ASSERT_TRUE(file.Append("ne").ok());
  ASSERT_TRUE(file.Append("w").ok());
  ASSERT_TRUE(file.Commit().ok());
  EXPECT_FALSE(file.Commit().ok());
  EXPECT_EQ(ReadFile(Path("a")).value(), "new");
  EXPECT_THAT(Names(), ElementsAre("a"));
}

TEST_F(FileTest, AtomicFileKeepsModeAndFollowsLinks) {
  Write("real", "old");
  ASSERT_EQ(chmod(Path("real").c_str(), 0640), 0);
  ASSERT_EQ(symlink("real", Path("link").c_str()), 0);
  ASSERT_TRUE(WriteFileAtomic(Path("link"), "new").ok());
  EXPECT_EQ(ReadFile(Path("real")).value(), "new");
  struct stat info;
  ASSERT_EQ(lstat(Path("link").c_str(), &info), 0);
  EXPECT_TRUE(S_ISLNK(info.st_mode));
  ASSERT_EQ(stat(Path("real").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST_F(FileTest, DevicesAreWrittenThroughAndNeverReplaced) {
  ASSERT_TRUE(WriteFileAtomic("/dev/null", "x").ok());
  struct stat info;
  ASSERT_EQ(stat("/dev/null", &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
}

TEST_F(FileTest, DiskFull) {
  absl::Status status = WriteFileAtomic("/dev/full", "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("disk full while writing /dev/full: "));
  EXPECT_THAT(std::string(status.message()), HasSubstr("; free space or choose another folder"));
}

TEST_F(FileTest, AFailedWriteLeavesTheOldFileAndNothingElse) {
  Write("a", "old");
  for (size_t piece : {size_t{1000}, size_t{3'000'000}}) {
    absl::Status status;
    WithFileSizeLimit(10'000, [&] {
      AtomicFile file = AtomicFile::Create(Path("a")).value();
      for (int i = 0; i < 20 && status.ok(); ++i) status = file.Append(std::string(piece, 'x'));
      if (status.ok()) status = file.Commit();
      EXPECT_EQ(file.Commit(), status) << "the first error sticks";
    });
    EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(status.message()), HasSubstr(Path("a")));
    EXPECT_EQ(ReadFile(Path("a")).value(), "old");
    EXPECT_THAT(Names(), ElementsAre("a"));
  }
}

TEST_F(FileTest, WritingNeedsItsFolder) {
  absl::Status status = WriteFileAtomic(Path("none/a"), "x");
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("does not exist"));
}

TEST_F(FileTest, AtomicFolder) {
  {
    AtomicFolder folder = AtomicFolder::Create(Path("d")).value();
    ASSERT_TRUE(WriteFileAtomic(JoinPath(folder.staging(), "x"), "1").ok());
    EXPECT_FALSE(FileExists(Path("d")));
  }
  EXPECT_THAT(Names(), IsEmpty());
  AtomicFolder folder = AtomicFolder::Create(Path("d/")).value();
  ASSERT_TRUE(MakeFolders(JoinPath(folder.staging(), "sub/sub")).ok());
  ASSERT_TRUE(WriteFileAtomic(JoinPath(folder.staging(), "sub/sub/x"), "1").ok());
  ASSERT_TRUE(folder.Commit().ok());
  EXPECT_EQ(ReadFile(Path("d/sub/sub/x")).value(), "1");
  EXPECT_THAT(Names(), ElementsAre("d"));
}

TEST_F(FileTest, AtomicFolderReplaces) {
  ASSERT_TRUE(MakeFolders(Path("d")).ok());
  { EXPECT_TRUE(AtomicFolder::Create(Path("d")).ok()) << "an empty folder may be taken"; }
  Write("d/old", "1");
  EXPECT_EQ(AtomicFolder::Create(Path("d")).status().code(), absl::StatusCode::kInvalidArgument);
  AtomicFolder folder = AtomicFolder::Create(Path("d"), /*replace=*/true).value();
  ASSERT_TRUE(WriteFileAtomic(JoinPath(folder.staging(), "new"), "2").ok());
  ASSERT_TRUE(folder.Commit().ok());
  EXPECT_THAT(ListFolder(Path("d")).value(), ElementsAre("new"));
  EXPECT_THAT(Names(), ElementsAre("d"));
}

TEST_F(FileTest, AtomicFolderRefusesWhatAppearedMeanwhile) {
  AtomicFolder folder = AtomicFolder::Create(Path("d")).value();
  ASSERT_TRUE(MakeFolders(Path("d")).ok());
  Write("d/theirs", "1");
  EXPECT_EQ(folder.Commit().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(ListFolder(Path("d")).value(), ElementsAre("theirs"));
}

TEST_F(FileTest, FoldersAreMadeAndRemoved) {
  ASSERT_TRUE(MakeFolders(Path("x/y/z")).ok());
  ASSERT_TRUE(MakeFolders(Path("x/y/z")).ok());
  Write("file", "");
  EXPECT_FALSE(MakeFolders(Path("file")).ok());
  EXPECT_FALSE(MakeFolders(Path("file/below")).ok());
  ASSERT_TRUE(RemoveAll(Path("x")).ok());
  ASSERT_TRUE(RemoveAll(Path("x")).ok());
  EXPECT_FALSE(FileExists(Path("x")));
  EXPECT_EQ(ListFolder(Path("x")).status().code(), absl::StatusCode::kNotFound);
}

TEST(PathTest, Parts) {
  EXPECT_EQ(JoinPath("a", "b"), "a/b");
  EXPECT_EQ(JoinPath("a/", "b"), "a/b");
  EXPECT_EQ(JoinPath("a", "/b"), "/b");
  EXPECT_EQ(JoinPath("", "b"), "b");
  EXPECT_EQ(Dirname("a/b/c"), "a/b");
  EXPECT_EQ(Dirname("a/b/"), "a");
  EXPECT_EQ(Dirname("a"), ".");
  EXPECT_EQ(Dirname("/a"), "/");
  EXPECT_EQ(Dirname("/"), "/");
  EXPECT_EQ(Dirname("a//b"), "a");
  EXPECT_EQ(Basename("a/b"), "b");
  EXPECT_EQ(Basename("a/b//"), "b");
  EXPECT_EQ(Basename("b"), "b");
  EXPECT_EQ(Basename("/"), "/");
}

TEST(PathTest, PlainNames) {
  for (const char* plain : {"a", "a.b", ".hidden", "..."}) EXPECT_TRUE(IsPlainName(plain)) << plain;
  for (const char* other : {"", ".", "..", "a/b", "/a", "a/"}) EXPECT_FALSE(IsPlainName(other)) << other;
  EXPECT_FALSE(IsPlainName(std::string_view("a\0b", 3)));
}

TEST_F(FileTest, RelativePaths) {
  EXPECT_EQ(RelativePath("data/train.txt", "data"), "train.txt");
  EXPECT_EQ(RelativePath("data/train.txt", "out/m/quern"), "../../../data/train.txt");
  EXPECT_EQ(RelativePath("/a/b", "/a"), "b");
  EXPECT_EQ(RelativePath("a/../b", "c"), "../b");
  // Through a linked folder the way back is the real one; a linked file keeps its name.
  ASSERT_TRUE(MakeFolders(Path("deep/real")).ok());
  Write("file", "1");
  ASSERT_EQ(symlink("deep/real", Path("short").c_str()), 0);
  ASSERT_EQ(symlink("file", Path("alias").c_str()), 0);
  EXPECT_EQ(RelativePath(Path("file"), Path("short")), "../../file");
  EXPECT_EQ(ReadFile(Path("short/../../file")).value(), "1");
  EXPECT_EQ(RelativePath(Path("alias"), folder()), "alias");
}

}  // namespace
}  // namespace quern
