#include "train/tensorboard_log.h"

#include <sys/resource.h>

#include <csignal>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "gtest/gtest.h"
#include "train/event_file.h"
#include "train/testing.h"

namespace quern {
namespace {

using tensorboard::Event;

Event LossEvent() {
  Event event;
  event.set_wall_time(1234567890);
  event.set_step(7);
  tensorboard::Summary::Value* value = event.mutable_summary()->add_value();
  value->set_tag("loss");
  value->set_simple_value(0.5f);
  return event;
}

std::string Hex(const std::string& bytes) { return absl::BytesToHexString(bytes); }

MetricsRow Row(int64_t step) {
  MetricsRow row;
  row.step = step;
  row.loss = 1.0 / static_cast<double>(step);
  row.learning_rate = 1e-3;
  row.grad_norm = 2;
  row.tokens_per_second = 1e5;
  if (step % 4 == 0) row.eval_loss = 3;
  return row;
}

std::string WriteRows(const std::string& folder, int64_t after, int64_t last) {
  absl::StatusOr<TensorBoardLog> log = TensorBoardLog::Open(folder, after);
  EXPECT_TRUE(log.ok()) << log.status();
  for (int64_t step = after + 1; step <= last; ++step) EXPECT_TRUE(log->Append(Row(step)).ok());
  EXPECT_TRUE(log->Sync().ok());
  return log->path();
}

// As tensorflow and tensorboard write and check them.
TEST(EventFileTest, KnownBytes) {
  EXPECT_EQ(MaskedCrc32c("\x1a\x11"
                         "CRC test, one two"),
            0x5794d08au);
  Event version;
  version.set_file_version("brain.Event:2");
  EXPECT_EQ(Hex(EventRecord(version)), "0f000000000000006d532b091a0d627261696e2e4576656e743a32fc985129");
  EXPECT_EQ(Hex(EventRecord(LossEvent())),
            "1a00000000000000129bd82d09000080b48065d24110072a0d0a0b0a046c6f7373150000003f00ac1c54");
}

TEST(EventFileTest, ATornTailIsLeftOut) {
  const std::string path = JoinPath(FreshFolder("a"), "events"), record = EventRecord(LossEvent());
  for (size_t cut = 0; cut <= record.size(); ++cut) {
    ASSERT_TRUE(WriteFileAtomic(path, record + record.substr(0, cut)).ok());
    absl::StatusOr<EventFile> file = ReadEventFile(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->records.size(), cut == record.size() ? 2u : 1u);
    EXPECT_EQ(file->intact_bytes, file->records.size() * record.size());
    EXPECT_EQ(file->records[0].event.summary().value(0).simple_value(), 0.5f);
  }
}

TEST(EventFileTest, AFlippedBitIsFound) {
  const std::string path = JoinPath(FreshFolder("a"), "events"), record = EventRecord(LossEvent());
  for (size_t bit = 0; bit < 8 * record.size(); ++bit) {
    std::string damaged = record;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
    ASSERT_TRUE(WriteFileAtomic(path, record + damaged + record).ok());
    absl::StatusOr<EventFile> file = ReadEventFile(path);
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_EQ(file->records.size(), 1u) << "bit " << bit;
    ASSERT_TRUE(WriteFileAtomic(path, damaged).ok());
    EXPECT_EQ(ReadEventFile(path).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(TensorBoardLogTest, WritesWhatMetricsHave) {
  const std::string path = WriteRows(JoinPath(FreshFolder("a"), "tensorboard"), 0, 8);
  absl::StatusOr<EventFile> file = ReadEventFile(path);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(file->records.size(), 2u + 8u);
  EXPECT_EQ(file->records[0].event.file_version(), "brain.Event:2");
  EXPECT_EQ(file->records[1].event.session_log().status(), tensorboard::SessionLog::START);
  EXPECT_EQ(file->records[1].event.step(), 1);
  for (int64_t step = 1; step <= 8; ++step) {
    const Event& event = file->records[static_cast<size_t>(step) + 1].event;
    EXPECT_EQ(event.step(), step);
    EXPECT_GT(event.wall_time(), 1.7e9);
    std::map<std::string, float> scalars;
    for (const auto& value : event.summary().value()) scalars[value.tag()] = value.simple_value();
    std::map<std::string, float> expected = {{"train/loss", 1.0f / static_cast<float>(step)},
                                             {"train/learning_rate", 1e-3f},
                                             {"train/grad_norm", 2.0f},
                                             {"train/tokens_per_second", 1e5f}};
    if (step % 4 == 0) expected["eval/loss"] = 3.0f;
    EXPECT_EQ(scalars, expected);
  }
}

TEST(TensorBoardLogTest, GoingOnFromAStepShowsNoStepTwice) {
  const std::string folder = JoinPath(FreshFolder("a"), "tensorboard");
  ASSERT_TRUE(CutEventFiles(folder, 3).ok()) << "no folder yet";
  const std::string killed = WriteRows(folder, 0, 9);
  std::string bytes = *ReadFile(killed);
  ASSERT_TRUE(WriteFileAtomic(killed, bytes.substr(0, bytes.size() - 5)).ok());  // torn within the row of step 9
  // Goes on from 6, is killed before its first row, goes on from 6, then from 3.
  for (auto [after, last] : {std::pair(6, 6), std::pair(6, 8), std::pair(3, 5)}) {
    ASSERT_TRUE(CutEventFiles(folder, after).ok());
    WriteRows(folder, after, last);
  }
  const std::vector<std::string> names = *ListFolder(folder);
  ASSERT_EQ(names.size(), 2u) << "files without a row go";
  std::vector<int64_t> steps;
  for (const std::string& name : names) {
    absl::StatusOr<EventFile> file = ReadEventFile(JoinPath(folder, name));
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(file->intact_bytes, *FileSize(JoinPath(folder, name)));
    for (const EventFile::Record& record : file->records) {
      if (record.event.has_summary()) steps.push_back(record.event.step());
    }
  }
  EXPECT_EQ(steps, std::vector<int64_t>({1, 2, 3, 4, 5})) << "in the order of names";
}

TEST(TensorBoardLogTest, KeepsItsHandsOffOtherFiles) {
  const std::string folder = FreshFolder("a");
  const std::vector<std::string> others = {"notes.txt", "events.out.tfevents.1700000000.host.1.0"};
  for (const std::string& name : others) ASSERT_TRUE(WriteFileAtomic(JoinPath(folder, name), "not a record").ok());
  ASSERT_TRUE(CutEventFiles(folder, 0).ok());
  for (const std::string& name : others) EXPECT_EQ(*ReadFile(JoinPath(folder, name)), "not a record");
}

TEST(TensorBoardLogTest, AFullDiskLeavesWholeRecords) {
  absl::StatusOr<TensorBoardLog> log = TensorBoardLog::Open(FreshFolder("a"), 0);
  ASSERT_TRUE(log.ok());
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  const uint64_t size = *FileSize(log->path()), record = 2 * EventRecord(LossEvent()).size();
  struct rlimit small = {size + record, old.rlim_max};  // within the second row
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  int64_t written = 0;
  absl::Status status;
  while (written < 10 && (status = log->Append(Row(written + 1))).ok()) ++written;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  EXPECT_LT(written, 2);
  absl::StatusOr<EventFile> file = ReadEventFile(log->path());
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->intact_bytes, *FileSize(log->path()));
  EXPECT_TRUE(log->Append(Row(written + 1)).ok()) << "and goes on when there is room";
  EXPECT_EQ(ReadEventFile(log->path())->records.size(), 2u + static_cast<size_t>(written) + 1);
}

}  // namespace
}  // namespace quern
