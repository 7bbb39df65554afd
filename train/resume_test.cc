// Runs that stop and go on: the bits of never having stopped.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <functional>
#include <numeric>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "gtest/gtest.h"
#include "train/testing.h"
#include "train/train.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

std::string StepFolder(const std::string& output_dir, int64_t step) {
  return JoinPath(output_dir, absl::StrFormat("checkpoints/step-%08d", step));
}

void FlipByte(const std::string& path, size_t at) {
  std::string bytes = *ReadFile(path);
  bytes[at % bytes.size()] = static_cast<char>(bytes[at % bytes.size()] ^ 0x10);
  ASSERT_TRUE(WriteFileAtomic(path, bytes).ok());
}

// A run that was saved at every step.
class Resume : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = FreshFolder("runs");
    whole_ = SmallRun(folder_, "whole");
    whole_.set_save_steps(1);
    ASSERT_TRUE(Train(whole_).ok());
    expected_ = Digests(whole_.output_dir());
  }

  // As if the whole run had been killed after it saved `step`, some steps later.
  TrainConfig KilledAfter(int64_t step, const std::string& name) {
    TrainConfig config = whole_;
    config.set_output_dir(JoinPath(folder_, name));
    fs::copy(whole_.output_dir(), config.output_dir(), fs::copy_options::recursive);
    for (int64_t s = step + 1; s <= 12; ++s) fs::remove_all(StepFolder(config.output_dir(), s));
    for (const char* file : {"model.safetensors", "quern/run.json", "generation_config.json"}) {
      fs::remove(JoinPath(config.output_dir(), file));
    }
    config.set_resume_from_checkpoint("auto");
    return config;
  }

  void ExpectSameEnd(const TrainConfig& config, int64_t resumed_from) {
    absl::StatusOr<TrainResult> result = Train(config);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->resumed_from, resumed_from);
    EXPECT_EQ(result->steps, 12);
    EXPECT_EQ(Digests(config.output_dir()), expected_);
  }

  std::string folder_;
  TrainConfig whole_;
  std::map<std::string, std::string> expected_;
};

TEST_F(Resume, IsBitIdenticalFromEveryStep) {
  for (int64_t step = 1; step <= 12; ++step) {
    SCOPED_TRACE(step);
    ExpectSameEnd(KilledAfter(step, absl::StrCat("after", step)), step);
  }
}

TEST_F(Resume, FromAPathDropsWhatCameLater) {
  TrainConfig config = KilledAfter(9, "path");
  config.set_resume_from_checkpoint(StepFolder(config.output_dir(), 6));
  ExpectSameEnd(config, 6);
}

TEST_F(Resume, TensorBoardShowsEachStepOnce) {
  TrainConfig config = whole_;
  config.set_report_to("tensorboard");
  config.set_output_dir(JoinPath(folder_, "events"));
  ASSERT_TRUE(Train(config).ok());
  std::vector<int64_t> all(12);
  std::iota(all.begin(), all.end(), 1);
  EXPECT_EQ(EventSteps(config.output_dir()), all);
  for (int64_t step : {9, 4}) {
    config.set_resume_from_checkpoint(StepFolder(config.output_dir(), step));
    ASSERT_TRUE(Train(config).ok());
    EXPECT_EQ(EventSteps(config.output_dir()), all);
  }
  // A run without it takes its rows back all the same: what is shown is never of another run.
  config.set_resume_from_checkpoint(StepFolder(config.output_dir(), 6));
  config.set_report_to("none");
  ASSERT_TRUE(Train(config).ok());
  all.resize(6);
  EXPECT_EQ(EventSteps(config.output_dir()), all);
}

TEST_F(Resume, CleansUpAfterAKill) {
  TrainConfig config = KilledAfter(7, "torn");
  const std::string checkpoints = JoinPath(config.output_dir(), "checkpoints");
  fs::copy(StepFolder(config.output_dir(), 7), JoinPath(checkpoints, ".step-00000008.tmp-1-0"));
  ASSERT_TRUE(WriteFileAtomic(JoinPath(config.output_dir(), ".model.safetensors.tmp-1-1"), "x").ok());
  std::string rows = *ReadFile(JoinPath(config.output_dir(), "quern/metrics.jsonl"));
  rows.resize(rows.size() - 20);
  ASSERT_TRUE(WriteFileAtomic(JoinPath(config.output_dir(), "quern/metrics.jsonl"), rows).ok());
  ASSERT_TRUE(WriteFileAtomic(JoinPath(config.output_dir(), "quern/tokens/train.bin"), "damaged").ok());
  ExpectSameEnd(config, 7);
}

TEST_F(Resume, SkipsDamagedCheckpoints) {
  for (const char* file : {"model.safetensors", "optimizer.safetensors", "trainer_state.json", "MANIFEST.json"}) {
    for (size_t at : {size_t{0}, size_t{300}, size_t{1} << 40}) {
      SCOPED_TRACE(absl::StrCat(file, " at ", at));
      TrainConfig config = KilledAfter(10, absl::StrCat("flip", file, at));
      const std::string damaged = JoinPath(StepFolder(config.output_dir(), 10), file);
      FlipByte(damaged, at);
      TrainConfig named = config;
      named.set_resume_from_checkpoint(Dirname(damaged));
      absl::Status status = Train(named).status();
      EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
      EXPECT_NE(std::string(status.message()).find(file), std::string::npos) << status;
      ExpectSameEnd(config, 9);
    }
  }
  TrainConfig config = KilledAfter(10, "missing");
  fs::remove(JoinPath(StepFolder(config.output_dir(), 10), "optimizer.safetensors"));
  ExpectSameEnd(config, 9);
}

TEST_F(Resume, StartsAfreshWithoutACheckpoint) {
  TrainConfig config = whole_;
  config.set_output_dir(JoinPath(folder_, "new"));
  config.set_resume_from_checkpoint("auto");
  ExpectSameEnd(config, 0);
}

TEST_F(Resume, RefusesWhatIsAnotherRun) {
  auto refused = [&](const std::string& says, const std::function<void(TrainConfig&)>& change) {
    TrainConfig config = KilledAfter(8, "other" + says);
    change(config);
    auto before = Digests(config.output_dir());
    absl::Status status = Train(config).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_NE(std::string(status.message()).find(says), std::string::npos) << status;
    EXPECT_EQ(Digests(config.output_dir())["quern/settings.txtpb"], before["quern/settings.txtpb"]);
  };
  refused("num_hidden_layers", [](TrainConfig& c) { c.mutable_model()->mutable_llama()->set_num_hidden_layers(3); });
  refused("another architecture", [](TrainConfig& c) { c.mutable_model()->mutable_gpt2()->set_n_embd(96); });
  refused("batch_size", [](TrainConfig& c) { c.set_batch_size(4); });
  refused("seed", [](TrainConfig& c) { c.set_seed(1); });
  refused("another text", [&](TrainConfig& c) { c.set_train_file(c.validation_file()); });
  refused("another tokenizer", [&](TrainConfig& c) {
    c.set_tokenizer("char");
    c.mutable_model()->mutable_llama()->set_vocab_size(256);
    c.mutable_model()->mutable_llama()->set_bos_token_id(-1);
    fs::remove(JoinPath(c.output_dir(), "tokenizer.json"));
  });
  TrainConfig longer = KilledAfter(8, "longer");
  longer.set_max_steps(14);
  absl::StatusOr<TrainResult> result = Train(longer);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->steps, 14);
}

// The signal comes while steps are made; nobody knows after which.
TEST_F(Resume, AfterAnInterruptSavesAndGoesOn) {
  for (int wait : {1, 3, 6}) {
    TrainConfig config = whole_;
    config.set_save_steps(0);
    config.set_eval_steps(0);
    config.set_output_dir(JoinPath(folder_, absl::StrCat("interrupted", wait)));
    TrainConfig reference = config;
    reference.set_output_dir(config.output_dir() + "_not");
    ASSERT_TRUE(Train(reference).ok());
    std::thread signaller([&] {
      const std::string metrics = JoinPath(config.output_dir(), "quern/metrics.jsonl");
      while (true) {
        auto text = ReadFile(metrics);
        if (text.ok() && std::count(text->begin(), text->end(), '\n') >= wait) break;
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
      SimulateInterrupt(SIGTERM);
    });
    absl::Status status = Train(config).status();
    signaller.join();
    SimulateInterrupt(0);
    if (!status.ok()) {
      EXPECT_EQ(status.code(), absl::StatusCode::kCancelled) << status;
      EXPECT_NE(std::string(status.message()).find("--resume_from_checkpoint auto"), std::string::npos);
    }
    config.set_resume_from_checkpoint("auto");
    absl::StatusOr<TrainResult> result = Train(config);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_GE(result->resumed_from, wait);
    auto expected = Digests(reference.output_dir()), found = Digests(config.output_dir());
    for (const char* file : {"model.safetensors", "quern/run.json", "quern/metrics.jsonl", "tokenizer.json",
                             "checkpoints/step-00000012/optimizer.safetensors"}) {
      EXPECT_EQ(found[file], expected[file]) << file;
    }
  }
}

TEST(Checkpoints, KeepsTheLastTheBestAndAsManyAsAsked) {
  TrainConfig config = SmallRun(FreshFolder("a"), "run");
  config.set_save_steps(1);
  config.set_save_total_limit(2);
  absl::StatusOr<TrainResult> result = Train(config);
  ASSERT_TRUE(result.ok());
  std::vector<std::string> names = *ListFolder(JoinPath(config.output_dir(), "checkpoints"));
  EXPECT_EQ(names.back(), "step-00000012");
  EXPECT_TRUE(FileExists(StepFolder(config.output_dir(), result->best_step)));
  EXPECT_GE(names.size(), 2u);
  EXPECT_LE(names.size(), 4u);
}

}  // namespace
}  // namespace quern
