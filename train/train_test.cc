// Whole runs: what they write, what they refuse, and that they are the same bits.
#include "train/train.h"

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/lineage.h"
#include "base/progress.h"
#include "base/sha256.h"
#include "base/thread_pool.h"
#include "gtest/gtest.h"
#include "kernels/isa.h"
#include "nn/model_folder.h"
#include "train/output_folder.h"
#include "train/testing.h"

namespace quern {
namespace {

absl::StatusCode CodeOf(const TrainConfig& config) { return Train(config).status().code(); }
std::string MessageOf(const TrainConfig& config) { return std::string(Train(config).status().message()); }

void ExpectRefused(const TrainConfig& config, const std::string& says) {
  absl::Status status = Train(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_NE(std::string(status.message()).find(says), std::string::npos) << status;
}

TEST(Train, WritesAModelFolderWithItsLineage) {
  const std::string folder = FreshFolder("a");
  TrainConfig config = SmallRun(folder, "run");
  absl::StatusOr<TrainResult> result = Train(config);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->steps, 12);
  EXPECT_EQ(result->tokens, 12 * 2 * 16 * 2);
  EXPECT_LT(result->best_eval_loss, result->initial_eval_loss);
  EXPECT_NEAR(result->initial_eval_loss, std::log(256), 0.3);
  // Bytes are tokens.
  EXPECT_NEAR(result->best_bits_per_byte, result->best_eval_loss / std::log(2), 1e-9);

  const std::string out = config.output_dir();
  for (const char* name :
       {"config.json", "generation_config.json", "tokenizer.json", "model.safetensors", "quern/run.json",
        "quern/settings.txtpb", "quern/metrics.jsonl", "checkpoints/step-00000005/model.safetensors",
        "checkpoints/step-00000012/MANIFEST.json", "checkpoints/step-00000012/optimizer.safetensors",
        "checkpoints/step-00000012/trainer_state.json"}) {
    EXPECT_TRUE(FileExists(JoinPath(out, name))) << name;
  }
  auto model = LoadModel(out);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->CountParameters(), result->parameters);
  auto links = WalkLineage(out);
  ASSERT_TRUE(links.ok()) << links.status();
  for (const LineageLink& link : *links) EXPECT_EQ(link.problem, "") << link.file;
  // The best checkpoint's weights are the folder's.
  EXPECT_EQ(Digests(out)["model.safetensors"],
            *Sha256File(JoinPath(out, absl::StrFormat("checkpoints/step-%08d/model.safetensors", result->best_step))));
}

TEST(Train, LogsARowAStep) {
  TrainConfig config = SmallRun(FreshFolder("a"), "run");
  ASSERT_TRUE(Train(config).ok());
  std::vector<Json> rows = MetricsRows(config.output_dir());
  ASSERT_EQ(rows.size(), 12u);
  for (int64_t i = 0; i < 12; ++i) {
    const Json& row = rows[static_cast<size_t>(i)];
    EXPECT_EQ(row["step"], i + 1);
    EXPECT_EQ(row["tokens"], (i + 1) * 2 * 16 * 2);
    EXPECT_EQ(row["eval_loss"].is_null(), (i + 1) % 4 != 0);
    for (const char* name : {"loss", "learning_rate", "grad_norm", "tokens_per_second"}) {
      EXPECT_GT(row[name].get<double>(), 0) << name;
    }
    EXPECT_EQ(row.size(), 7u);
  }
  config.set_logging_steps(5);
  config.set_overwrite_output_dir(true);
  ASSERT_TRUE(Train(config).ok());
  std::vector<int64_t> steps;
  for (const Json& row : MetricsRows(config.output_dir())) steps.push_back(row["step"]);
  EXPECT_EQ(steps, (std::vector<int64_t>{1, 4, 5, 8, 10, 12}));
}

TEST(Train, HowItIsComputedAndReportedChangesNoByte) {
  const std::string folder = FreshFolder("a");
  TrainConfig plain = SmallRun(folder, "plain"), other = SmallRun(folder, "other");
  other.set_gradient_checkpointing(true);
  other.set_report_to("tensorboard");
  ASSERT_TRUE(Train(plain).ok());
  ASSERT_TRUE(Train(other).ok());
  EXPECT_EQ(Digests(other.output_dir()), Digests(plain.output_dir()));
  EXPECT_FALSE(FileExists(JoinPath(plain.output_dir(), "quern/tensorboard")));
  EXPECT_EQ(EventSteps(other.output_dir()), std::vector<int64_t>({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}));
  other.clear_report_to();
  other.set_overwrite_output_dir(true);
  ASSERT_TRUE(Train(other).ok());
  EXPECT_FALSE(FileExists(JoinPath(other.output_dir(), "quern/tensorboard"))) << "of the run that was overwritten";
}

TEST(Train, EqualRunsGiveEqualBytesAtAnyThreadCountAndInstructionSet) {
  const std::string folder = FreshFolder("a");
  const Isa best = CurrentIsa();
  std::map<std::string, std::string> first, reference;
  for (Isa isa : AvailableIsas()) {
    // The plain loops sum in another order than the vector sets do, so they have bits of their own.
    auto& expected = isa == Isa::kReference ? reference : first;
    for (int threads : {1, 2, 3}) {
      SetIsa(isa);
      ThreadPool pool(threads);
      ScopedThreadPool scope(pool);
      TrainConfig config = SmallRun(folder, absl::StrCat(std::string(Name(isa)), threads));
      ASSERT_TRUE(Train(config).ok());
      auto digests = Digests(config.output_dir());
      if (expected.empty()) expected = digests;
      EXPECT_TRUE(digests == expected) << config.output_dir();
    }
  }
  SetIsa(best);
  TrainConfig other = SmallRun(folder, "seed");
  other.set_seed(8);
  ASSERT_TRUE(Train(other).ok());
  EXPECT_NE(Digests(other.output_dir())["model.safetensors"], first["model.safetensors"]);
}

TEST(Train, StartsFromAModelFolder) {
  const std::string folder = FreshFolder("a");
  TrainConfig base = SmallRun(folder, "base");
  base.set_tokenizer("char");
  ASSERT_TRUE(Train(base).ok());
  TrainConfig tuned = SmallRun(folder, "tuned");
  tuned.clear_tokenizer();
  tuned.clear_model();
  tuned.set_model_name(base.output_dir());
  absl::StatusOr<TrainResult> result = Train(tuned);
  ASSERT_TRUE(result.ok()) << result.status();
  auto base_rows = MetricsRows(base.output_dir());
  // It goes on where the base model stands.
  EXPECT_NEAR(result->initial_eval_loss, base_rows.back()["eval_loss"].get<double>(), 1e-3);
  EXPECT_LT(result->best_eval_loss, result->initial_eval_loss);
  EXPECT_EQ(Digests(base.output_dir())["tokenizer.json"], Digests(tuned.output_dir())["tokenizer.json"]);
  auto links = WalkLineage(tuned.output_dir());
  ASSERT_TRUE(links.ok());
  bool base_named = false;
  for (const LineageLink& link : *links) {
    EXPECT_EQ(link.problem, "") << link.file;
    base_named = base_named || link.role == "base_model";
  }
  EXPECT_TRUE(base_named);

  TrainConfig wrong = SmallRun(folder, "wrong");
  wrong.clear_tokenizer();
  wrong.set_model_name(base.output_dir());
  wrong.mutable_model()->mutable_llama()->set_num_hidden_layers(3);
  ExpectRefused(wrong, "num_hidden_layers");
  wrong.mutable_model()->mutable_gpt2()->set_n_layer(2);
  ExpectRefused(wrong, "another architecture");
  TrainConfig itself = tuned;
  itself.set_output_dir(base.output_dir());
  itself.set_overwrite_output_dir(true);
  ExpectRefused(itself, "starts from");
  TrainConfig bytes = tuned;
  bytes.set_tokenizer("byte");
  bytes.set_output_dir(JoinPath(folder, "bytes"));
  ExpectRefused(bytes, "vocab_size");
  EXPECT_FALSE(FileExists(bytes.output_dir())) << "a refused run leaves nothing";
}

TEST(Train, PinnedFlagsAloneAreEnough) {
  const std::string folder = FreshFolder("a");
  TrainConfig small = SmallRun(folder, "run"), config;
  config.set_train_file(small.train_file());
  config.set_validation_file(small.validation_file());
  config.set_output_dir(small.output_dir());
  config.set_max_steps(2);
  absl::StatusOr<TrainResult> result = Train(config);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(LoadModel(config.output_dir()).ok());
  auto model_config = ReadModelConfig(config.output_dir());
  ASSERT_TRUE(model_config.ok() && model_config->has_llama());
}

TEST(Train, SaysHowManyTokensItEncoded) {
  TrainConfig config = SmallRun(FreshFolder("a"), "run");
  config.set_max_steps(1);
  testing::internal::CaptureStderr();
  const bool trained = Train(config).ok();
  const std::string said = testing::internal::GetCapturedStderr();
  ASSERT_TRUE(trained) << said;
  // Bytes are tokens.
  const std::string tokens = FormatCount(static_cast<int64_t>(*FileSize(config.train_file())));
  EXPECT_NE(said.find("encode train.txt: " + tokens + " tokens"), std::string::npos) << said;
  EXPECT_NE(said.find(tokens + " tokens to learn from"), std::string::npos) << said;
}

// Weight decay that multiplies the weights by -9999 at each step.
TEST(Train, SaysAtWhichStepItDivergedAndWhatToDo) {
  TrainConfig config = SmallRun(FreshFolder("a"), "run");
  config.set_learning_rate(100);
  config.set_weight_decay(100);
  config.set_lr_scheduler("constant");
  config.set_warmup_steps(0);
  auto step_of = [](const absl::Status& status, const std::string& what) {
    const std::string message(status.message());
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
    EXPECT_NE(message.find(what), std::string::npos) << status;
    EXPECT_NE(message.find("Lower --learning_rate"), std::string::npos) << status;
    return std::atoi(message.substr(5).c_str());
  };
  config.set_eval_steps(1);
  const int evaluated = step_of(Train(config).status(), "validation loss");
  config.set_eval_steps(0);
  config.set_overwrite_output_dir(true);
  // The weights that a step leaves show in the next step's loss.
  EXPECT_EQ(step_of(Train(config).status(), "gradient norm"), evaluated + 1);
}

TEST(Train, RefusesDamagedWeights) {
  const std::string folder = FreshFolder("a");
  TrainConfig base = SmallRun(folder, "base");
  base.set_max_steps(1);
  ASSERT_TRUE(Train(base).ok());
  std::unique_ptr<LanguageModel> model = *LoadModel(base.output_dir());
  model->Visit([](std::string_view, Var& parameter) {
    Tensor weights = parameter.value().Clone();
    weights.mutable_data<float>()[0] = std::nanf("");
    parameter.mutable_value() = weights;
  });
  ASSERT_TRUE(SaveModel(*model, base.output_dir()).ok());
  TrainConfig tuned = SmallRun(folder, "tuned");
  tuned.clear_tokenizer();
  tuned.clear_model();
  tuned.set_model_name(base.output_dir());
  ExpectRefused(tuned, "weights are damaged");
  EXPECT_FALSE(FileExists(tuned.output_dir()));
}

TEST(Train, ReadsJsonLines) {
  const std::string folder = FreshFolder("a");
  TrainConfig config = SmallRun(folder, "run");
  std::string lines;
  for (uint64_t i = 0; i < 40; ++i) lines += WriteJsonLine({{"text", SmallText(100, i)}, {"id", i}}) + "\n";
  config.set_train_file(JoinPath(folder, "data/train.jsonl"));
  ASSERT_TRUE(WriteFileAtomic(config.train_file(), lines).ok());
  ASSERT_TRUE(Train(config).ok());
  ASSERT_TRUE(WriteFileAtomic(config.train_file(), lines + "{\"no\": 1}\n").ok());
  config.set_overwrite_output_dir(true);
  EXPECT_NE(MessageOf(config).find("line 41"), std::string::npos) << MessageOf(config);
}

TEST(Train, RefusesAndLeavesNothing) {
  const std::string folder = FreshFolder("a");
  TrainConfig good = SmallRun(folder, "run"), config = good;
  auto write = [&](const char* name, const std::string& text) {
    std::string path = JoinPath(folder, name);
    EXPECT_TRUE(WriteFileAtomic(path, text).ok());
    return path;
  };
  config.set_train_file(write("empty.txt", "\n \n"));
  ExpectRefused(config, "empty");
  config.set_train_file(write("binary.txt", std::string("ab\0cd", 5)));
  ExpectRefused(config, "offset 2");
  config = good;
  config.set_validation_file(write("short.txt", "sixteen bytes..."));
  ExpectRefused(config, "--validation_file: 16 tokens are too short");
  config = good;
  config.set_train_file(JoinPath(folder, "nowhere.txt"));
  EXPECT_EQ(CodeOf(config), absl::StatusCode::kNotFound);
  config = good;
  config.set_model_name(JoinPath(folder, "no_model"));
  EXPECT_EQ(CodeOf(config), absl::StatusCode::kNotFound);
  config = good;
  config.mutable_model()->mutable_llama()->set_num_attention_heads(5);
  ExpectRefused(config, "num_attention_heads");
  config = good;
  config.set_resume_from_checkpoint(JoinPath(folder, "run/checkpoints/step-00000001"));
  EXPECT_EQ(CodeOf(config), absl::StatusCode::kNotFound);
  SimulateInterrupt(SIGINT);
  EXPECT_EQ(CodeOf(good), absl::StatusCode::kCancelled);
  SimulateInterrupt(0);
  EXPECT_FALSE(FileExists(good.output_dir()));

  ASSERT_TRUE(MakeFolders(good.output_dir()).ok());
  EXPECT_TRUE(Train(good).ok()) << "an existing empty folder is accepted";
  auto before = Digests(good.output_dir());
  ExpectRefused(good, "--overwrite_output_dir");
  config = good;
  config.set_overwrite_output_dir(true);
  config.set_train_file(write("short.txt", "x"));
  ExpectRefused(config, "too short");
  auto after = Digests(good.output_dir());
  EXPECT_EQ(after["model.safetensors"], before["model.safetensors"]) << "a refused run overwrites nothing";
  config.set_train_file(good.train_file());
  EXPECT_TRUE(Train(config).ok());
  EXPECT_EQ(Digests(good.output_dir()), before);
}

TEST(Train, OneProcessToAFolder) {
  TrainConfig config = SmallRun(FreshFolder("a"), "run");
  absl::StatusOr<OutputFolder> held = OutputFolder::Claim(config.output_dir(), UsedFolder::kRefuse);
  ASSERT_TRUE(held.ok());
  EXPECT_EQ(CodeOf(config), absl::StatusCode::kUnavailable);
  { OutputFolder released = *std::move(held); }
  EXPECT_FALSE(FileExists(config.output_dir()));
  EXPECT_TRUE(Train(config).ok());
}

TEST(Train, KeepsOutOfFoldersOfOthers) {
  const std::string folder = FreshFolder("a");
  TrainConfig config = SmallRun(folder, "run");
  ASSERT_TRUE(MakeFolders(config.output_dir()).ok());
  for (const char* name : {"README.md", "model.safetensors"}) {
    ASSERT_TRUE(WriteFileAtomic(JoinPath(config.output_dir(), name), "mine").ok());
  }
  config.set_resume_from_checkpoint("auto");
  ExpectRefused(config, "was not trained there");
  config.clear_resume_from_checkpoint();
  config.set_overwrite_output_dir(true);
  ASSERT_TRUE(Train(config).ok());
  EXPECT_EQ(*ReadFile(JoinPath(config.output_dir(), "README.md")), "mine");
}

TEST(Train, FlagsAreCheckedByName) {
  TrainConfig good = SmallRun(FreshFolder("a"), "run");
  EXPECT_TRUE(CheckTrainConfig(good).ok());
  auto names = [&](const std::string& flag, const std::function<void(TrainConfig&)>& spoil) {
    TrainConfig config = good;
    spoil(config);
    absl::Status status = CheckTrainConfig(config);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << flag;
    EXPECT_NE(std::string(status.message()).find("--" + flag), std::string::npos) << status;
  };
  names("train_file", [](TrainConfig& c) { c.clear_train_file(); });
  names("validation_file", [](TrainConfig& c) { c.clear_validation_file(); });
  names("output_dir", [](TrainConfig& c) { c.clear_output_dir(); });
  names("batch_size", [](TrainConfig& c) { c.set_batch_size(0); });
  names("block_size", [](TrainConfig& c) { c.set_block_size(-1); });
  names("num_train_epochs", [](TrainConfig& c) { c.set_num_train_epochs(NAN); });
  names("learning_rate", [](TrainConfig& c) { c.set_learning_rate(-1); });
  names("learning_rate", [](TrainConfig& c) { c.set_learning_rate(NAN); });
  names("adam_beta2", [](TrainConfig& c) { c.set_adam_beta2(1); });
  names("dropout", [](TrainConfig& c) { c.set_dropout(1); });
  names("report_to", [](TrainConfig& c) { c.set_report_to("tensorbord"); });
  names("lr_scheduler", [](TrainConfig& c) { c.set_lr_scheduler("cosin"); });
  names("overwrite_output_dir", [](TrainConfig& c) {
    c.set_overwrite_output_dir(true);
    c.set_resume_from_checkpoint("auto");
  });
}

// Nothing of a checkpoint that did not fit stays behind.
TEST(Train, DiskFullLeavesNoTornCheckpoint) {
  TrainConfig config = SmallRun(FreshFolder("a"), "run");
  signal(SIGXFSZ, SIG_IGN);
  struct rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old), 0);
  struct rlimit small = {100'000, old.rlim_max};  // the weights fit, the moments do not
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  absl::Status status = Train(config).status();
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  auto names = ListFolder(JoinPath(config.output_dir(), "checkpoints"));
  ASSERT_TRUE(names.ok());
  EXPECT_TRUE(names->empty()) << names->front();
  for (const auto& [path, digest] : Digests(config.output_dir())) {
    EXPECT_EQ(path.find(".tmp-"), std::string::npos) << path;
  }
  config.set_resume_from_checkpoint("auto");
  EXPECT_TRUE(Train(config).ok());
}

}  // namespace
}  // namespace quern
