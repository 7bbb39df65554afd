// Held against PyTorch and Hugging Face transformers, whose answers stand in tests/goldens/*/golden.safetensors
// (make_goldens.py made them and says what they are): logits, the gradient of every weight, and every weight after each
// of ten steps of AdamW with accumulation and clipping. The models, the tape and the optimizer are those of training.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "gtest/gtest.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/testing.h"
#include "nn/model_folder.h"
#include "tensor/io/safetensors.h"
#include "train/schedule.h"
#include "train/train_step.h"

namespace quern {
namespace {

constexpr double kLogits = 2e-5, kGradients = 1e-4;  // of the tensor's greatest magnitude: max|a - b| / max|b|
constexpr double kWeights = 1e-6;                    // absolute: max|a - b|

std::string FolderOf(const std::string& name) { return JoinPath("tests/goldens", name); }

SafetensorsFile OpenGolden(const std::string& name) {
  absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Open(JoinPath(FolderOf(name), "golden.safetensors"));
  CHECK_OK(file.status());
  return *std::move(file);
}

Tensor Find(const SafetensorsFile& golden, const std::string& name) {
  absl::StatusOr<Tensor> tensor = golden.Find(name);
  CHECK_OK(tensor.status());
  return *std::move(tensor);
}

std::unique_ptr<LanguageModel> Load(const std::string& name) {
  absl::StatusOr<std::unique_ptr<LanguageModel>> model = LoadModel(FolderOf(name));
  CHECK_OK(model.status());
  return *std::move(model);
}

// max|a - b|; infinite where shapes differ or anything is no number.
double GreatestDifference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return std::numeric_limits<double>::infinity();
  const std::vector<float> x = a.ToVector<float>(), y = b.ToVector<float>();
  double greatest = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(x[i]) - y[i]);
    if (!(difference <= greatest))
      greatest = std::isnan(difference) ? std::numeric_limits<double>::infinity() : difference;
  }
  return greatest;
}

double Relative(const Tensor& a, const Tensor& b) {
  double magnitude = 0;
  for (float value : b.ToVector<float>()) magnitude = std::max(magnitude, std::fabs(static_cast<double>(value)));
  return GreatestDifference(a, b) / magnitude;
}

// Names of the golden's tensors that begin with `prefix`, without it.
std::vector<std::string> NamesAfter(const SafetensorsFile& golden, const std::string& prefix) {
  std::vector<std::string> names;
  for (const std::string& name : golden.names()) {
    if (name.compare(0, prefix.size(), prefix) == 0) names.push_back(name.substr(prefix.size()));
  }
  return names;
}

// ---- One batch.

struct Distances {
  double loss = 0, logits = 0, gradients = 0;
};

// Fills what is far from the golden, after `spoil` had its way with the weights.
Distances Compare(const std::string& name, const std::function<void(LanguageModel&)>& spoil = {}) {
  const SafetensorsFile golden = OpenGolden(name);
  std::unique_ptr<LanguageModel> model = Load(name);
  if (spoil) spoil(*model);
  const Tensor inputs = Find(golden, "inputs"), expected = Find(golden, "logits");
  const int64_t sequences = inputs.dim(0), block = inputs.dim(1), tokens = sequences * block;
  TokenBatch batch = {inputs.Reshape({tokens}), Find(golden, "targets").Reshape({tokens})};
  Distances distances;
  {
    NoGrad no_grad;
    Tensor logits = model->Forward(batch.inputs, Sequences::Equal(sequences, block), {}).value();
    distances.logits = Relative(logits.Reshape(expected.shape()), expected);
  }
  TrainStepOptions options;
  options.block = block;
  TrainStep step(*model, options);
  distances.loss = std::fabs(step.Gradients({&batch, 1}) - Find(golden, "loss").data<double>()[0]);
  size_t compared = 0;
  for (const ArenaEntry& entry : step.arena().entries()) {
    const Tensor gradient = ParameterArena::Part(step.gradient(), entry);
    distances.gradients = std::max(distances.gradients, Relative(gradient, Find(golden, "grad." + entry.name)));
    ++compared;
  }
  EXPECT_EQ(compared, NamesAfter(golden, "grad.").size()) << "every gradient has a weight of ours";
  return distances;
}

class GoldenBatch : public testing::TestWithParam<std::string> {};

TEST_P(GoldenBatch, LogitsAndEveryGradient) {
  ForEachIsa([](Isa) {
    const Distances distances = Compare(GetParam());
    EXPECT_LE(distances.logits, kLogits);
    EXPECT_LE(distances.gradients, kGradients);
    EXPECT_LE(distances.loss, 1e-6);
    RecordProperty("logits", absl::StrCat(distances.logits));
    RecordProperty("gradients", absl::StrCat(distances.gradients));
  });
}

// A weight that is a part in a thousand too large.
TEST_P(GoldenBatch, NoticesAnyWrongWeight) {
  std::vector<std::string> names;
  Load(GetParam())->Visit([&](std::string_view name, Var&) { names.emplace_back(name); });
  for (const std::string& spoilt : names) {
    const Distances distances = Compare(GetParam(), [&](LanguageModel& model) {
      model.Visit([&](std::string_view name, Var& parameter) {
        if (name != spoilt) return;
        parameter.mutable_value() = Scale(parameter.value(), 1.001f);
      });
    });
    EXPECT_TRUE(distances.logits > kLogits || distances.gradients > kGradients) << spoilt;
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenBatch, testing::Values("gpt2", "llama"),
                         [](const auto& info) { return info.param; });

// ---- Ten steps.

// As make_goldens.py has it.
struct AdamWRun {
  std::string name;
  double beta2, epsilon, weight_decay, max_grad_norm;
};
std::ostream& operator<<(std::ostream& os, const AdamWRun& run) { return os << run.name; }

struct RunDistances {
  double weights = 0;  // after any step
  double loss = 0, grad_norm = 0;
};

RunDistances TenSteps(const std::string& name, const TrainStepOptions& options, const Schedule& schedule) {
  const SafetensorsFile golden = OpenGolden(name);
  std::unique_ptr<LanguageModel> model = Load(name);
  const Tensor inputs = Find(golden, "inputs"), targets = Find(golden, "targets");  // [steps, micro-batches, B, T]
  const int64_t tokens = inputs.dim(2) * inputs.dim(3);
  TrainStep step(*model, options);
  EXPECT_EQ(step.arena().entries().size(), NamesAfter(golden, "after.").size());
  RunDistances distances;
  for (int64_t t = 0; t < inputs.dim(0); ++t) {
    std::vector<TokenBatch> batches;
    for (int64_t m = 0; m < inputs.dim(1); ++m) {
      auto part = [&](const Tensor& all) { return all.Slice(0, t, t + 1).Slice(1, m, m + 1).Reshape({tokens}); };
      batches.push_back({part(inputs), part(targets)});
    }
    const StepResult result = step.Run(batches, schedule.LearningRate(t + 1));
    auto expected = [&](const char* what) { return Find(golden, what).data<double>()[t]; };
    distances.loss = std::max(distances.loss, std::fabs(result.loss - expected("loss")));
    distances.grad_norm = std::max(distances.grad_norm, std::fabs(result.grad_norm / expected("grad_norm") - 1));
    for (const ArenaEntry& entry : step.arena().entries()) {
      const Tensor after = Find(golden, "after." + entry.name).Slice(0, t, t + 1).Reshape(entry.parameter.shape());
      distances.weights = std::max(distances.weights, GreatestDifference(entry.parameter.value(), after));
    }
  }
  return distances;
}

class GoldenAdamW : public testing::TestWithParam<AdamWRun> {
 protected:
  const Schedule schedule_ = {ScheduleKind::kCosine, 3e-3, 3e-4, /*warmup_steps=*/3, /*total_steps=*/10};
  TrainStepOptions Options() const {
    const AdamWRun& run = GetParam();
    TrainStepOptions options;
    options.block = 9;
    options.beta1 = 0.9;
    options.beta2 = run.beta2;
    options.epsilon = run.epsilon;
    options.weight_decay = run.weight_decay;
    options.max_grad_norm = run.max_grad_norm;
    return options;
  }
};

TEST_P(GoldenAdamW, LearningRatesAreTheSame) {
  const Tensor rates = Find(OpenGolden(GetParam().name), "learning_rate");
  ASSERT_EQ(rates.elements(), schedule_.total_steps);
  for (int64_t t = 0; t < rates.elements(); ++t) {
    EXPECT_NEAR(schedule_.LearningRate(t + 1), rates.data<double>()[t], 1e-17) << "step " << t + 1;
  }
}

TEST_P(GoldenAdamW, EveryWeightAfterEveryStep) {
  ForEachIsa([&](Isa) {
    for (bool gradient_checkpointing : {false, true}) {
      TrainStepOptions options = Options();
      options.gradient_checkpointing = gradient_checkpointing;
      const RunDistances distances = TenSteps(GetParam().name, options, schedule_);
      EXPECT_LE(distances.weights, kWeights);
      EXPECT_LE(distances.loss, 1e-6);
      EXPECT_LE(distances.grad_norm, 1e-5);
      RecordProperty("weights", absl::StrCat(distances.weights));
    }
  });
}

TEST_P(GoldenAdamW, NoticesEveryOtherSetting) {
  const std::map<std::string, std::function<void(TrainStepOptions&)>> changes = {
      {"beta1", [](TrainStepOptions& o) { o.beta1 = 0.899; }},
      {"beta2", [](TrainStepOptions& o) { o.beta2 -= 0.001; }},
      {"epsilon", [](TrainStepOptions& o) { o.epsilon *= 2; }},
      {"weight decay", [](TrainStepOptions& o) { o.weight_decay *= 1.01; }},
      {"no clipping", [](TrainStepOptions& o) { o.max_grad_norm = 0; }},
      {"clipping at another norm", [](TrainStepOptions& o) { o.max_grad_norm *= 1.01; }},
  };
  for (const auto& [what, change] : changes) {
    // 1e-8 is far below the gradients: twice that is as good.
    if (what == "epsilon" && GetParam().epsilon < 1e-6) continue;
    TrainStepOptions options = Options();
    change(options);
    EXPECT_GT(TenSteps(GetParam().name, options, schedule_).weights, 2 * kWeights) << what;
  }
  Schedule linear = schedule_;
  linear.kind = ScheduleKind::kLinear;
  EXPECT_GT(TenSteps(GetParam().name, Options(), linear).weights, 2 * kWeights);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenAdamW,
                         testing::Values(AdamWRun{"gpt2_adamw", 0.95, 1e-4, 0.1, 0.9},
                                         AdamWRun{"llama_adamw", 0.99, 1e-8, 0.05, 1.0}),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace quern
