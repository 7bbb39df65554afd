#include "cli/bench/bench.h"

#include <memory>
#include <string>

#include "base/thread_pool.h"
#include "cli/bench/shapes.h"
#include "cli/bench/workload.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nn/language_model.h"
#include "nn/model_folder.h"
#include "nn/testing.h"

namespace quern::cli {
namespace {

using testing::HasSubstr;

// On one thread, again and again: tests run beside others, where ceilings may be measured too low.
absl::StatusOr<Json> RunPatiently(const BenchOptions& options) {
  ThreadPool one(1);
  ScopedThreadPool scope(one);
  absl::StatusOr<Json> result = RunBench(options);
  for (int i = 0; i < 5 && absl::IsInternal(result.status()); ++i) result = RunBench(options);
  return result;
}

TEST(BenchShapesTest, EveryFileIsAModelThatCanBeMade) {
  EXPECT_GE(BenchShapes().size(), 10u);
  for (const std::string& name : BenchShapes()) {
    absl::StatusOr<ModelConfig> config = BenchShape(name);
    ASSERT_TRUE(config.ok()) << config.status();
    absl::StatusOr<ModelConfig> again = ModelConfigFromJson(ModelConfigToJson(*config));
    EXPECT_TRUE(again.ok()) << name << ": " << again.status();
  }
  EXPECT_THAT(std::string(BenchShape("gpt2-142m").status().message()), HasSubstr("\"gpt2-124m\"?"));
}

TEST(BenchTest, EveryModeFillsEveryField) {
  for (const char* mode : {"train", "prefill", "decode"}) {
    BenchOptions options;
    options.shape = "llama-260k";
    options.mode = mode;
    options.batch_size = 2;
    options.block_size = 32;
    options.depth = options.mode == "train" ? 0 : 70;
    options.steps = 3;
    absl::StatusOr<Json> result = RunPatiently(options);
    ASSERT_TRUE(result.ok()) << result.status();
    for (const char* field : {"tokens_per_second", "flops_per_second", "bytes_per_second", "share_of_compute_ceiling",
                              "share_of_bandwidth_ceiling", "peak_memory_bytes"}) {
      ASSERT_TRUE(result->contains(field)) << field;
      EXPECT_GT((*result)[field].get<double>(), 0) << field;
    }
    EXPECT_EQ((*result)["mode"], mode);
    EXPECT_EQ((*result)["shape"], "llama-260k");
    EXPECT_LE((*result)["seconds"]["min"].get<double>(), (*result)["seconds"]["median"].get<double>());
    EXPECT_LE((*result)["share_of_compute_ceiling"].get<double>(), 1.02);
    const double tokens = (*result)["tokens_per_second"].get<double>() * (*result)["seconds"]["min"].get<double>();
    EXPECT_NEAR(tokens, options.mode == "decode" ? 2 : 64, 1e-6);
  }
}

TEST(BenchTest, GradientCheckpointingTakesLessMemory) {
  int64_t peak[2];
  for (bool gradient_checkpointing : {false, true}) {
    BenchOptions options;
    options.shape = "llama-260k";
    options.steps = 1;
    options.gradient_checkpointing = gradient_checkpointing;
    absl::StatusOr<Json> result = RunPatiently(options);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ((*result)["gradient_checkpointing"], gradient_checkpointing);
    peak[gradient_checkpointing] = (*result)["peak_memory_bytes"].get<int64_t>();
  }
  EXPECT_LT(peak[1], peak[0] * 2 / 3);
}

// Of the weights of this llama: 5 * (64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 172) and a head of 64 * 512. A token of 4
// attends to 2.5 keys on average.
TEST(BenchTest, CountsFlopsByHand) {
  BenchOptions options;
  options.shape = "llama-260k";
  options.batch_size = 3;
  options.block_size = 4;
  std::unique_ptr<LanguageModel> model = *MakeModel(*BenchShape(options.shape), 1);
  const double block = 64 * 64 * 2 + 2 * 64 * 32 + 3 * 64 * 172, head = 64 * 512, keys = 5 * 4 * 64 * 2.5;
  auto flops = [&](const char* mode, int64_t depth) {
    options.mode = mode;
    options.depth = depth;
    absl::StatusOr<Workload> work = MakeWorkload(*model, options);
    EXPECT_TRUE(work.ok()) << work.status();
    return work->flops;
  };
  EXPECT_NEAR(flops("train", 0), 12 * 3 * (2 * (5 * block + head) + keys), 1);
  EXPECT_NEAR(flops("prefill", 0), 12 * (2 * 5 * block + keys) + 3 * 2 * head, 1);
  EXPECT_NEAR(flops("decode", 9), 3 * (2 * (5 * block + head) + 5 * 4 * 64 * 10), 1);
}

TEST(BenchTest, SaysWhatDoesNotFit) {
  auto error = [](const auto& change) {
    BenchOptions options;
    options.shape = "llama-260k";
    change(options);
    return std::string(RunBench(options).status().message());
  };
  EXPECT_THAT(error([](BenchOptions& o) { o.shape = "lama-260k"; }), HasSubstr("Did you mean \"llama-260k\"?"));
  EXPECT_THAT(error([](BenchOptions& o) { o.mode = "serve"; }), HasSubstr("train, prefill or decode"));
  EXPECT_THAT(error([](BenchOptions& o) { o.type = "q8_0"; }), HasSubstr("q8_0"));
  EXPECT_THAT(error([](BenchOptions& o) { o.block_size = 513; }), HasSubstr("512 positions"));
  EXPECT_THAT(error([](BenchOptions& o) { o.depth = 1; }), HasSubstr("training has no cache"));
  EXPECT_THAT(error([](BenchOptions& o) { o.model_name = "folder"; }), HasSubstr("one of"));
  EXPECT_THAT(error([](BenchOptions& o) { o.mode = "decode", o.gradient_checkpointing = true; }),
              HasSubstr("of training"));
}

TEST(BenchTest, MeasuresAModelFolder) {
  const std::string folder = testing::TempDir();
  ASSERT_TRUE(SaveModel(*SmallModel("gpt2"), folder).ok());
  BenchOptions options;
  options.model_name = folder;
  options.mode = "decode";
  options.steps = 3;
  absl::StatusOr<Json> result = RunPatiently(options);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ((*result)["shape"], folder);
}

}  // namespace
}  // namespace quern::cli
