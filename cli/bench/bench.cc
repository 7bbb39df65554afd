#include "cli/bench/bench.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/interrupt.h"
#include "base/status_macros.h"
#include "base/thread_pool.h"
#include "cli/bench/shapes.h"
#include "cli/bench/workload.h"
#include "kernels/ceilings.h"
#include "kernels/isa.h"
#include "nn/language_model.h"
#include "nn/model_folder.h"
#include "tensor/memory.h"

namespace quern::cli {
namespace {

constexpr int64_t kWarmUp = 2;
constexpr double kMostShare = 1.02;
constexpr int kMostRounds = 8;  // of measuring ceilings again that a busy machine hides

struct Ceilings {
  double flops = 0, bytes = 0;

  // Keeps the greater of each: what a busy machine hid the first time may show the second.
  void Measure(const Workload& work) {
    flops = std::max(flops, MeasureFlopsCeiling(DType::kF32));
    bytes = std::max(bytes, work.mostly_reads ? MeasureReadCeiling(work.bytes) : MeasureBandwidthCeiling(work.bytes));
  }
};

absl::StatusOr<std::unique_ptr<LanguageModel>> OpenModel(const BenchOptions& options) {
  if (options.type != "f32") {
    return absl::InvalidArgumentError(absl::StrCat("no type \"", options.type, "\" yet: the kernels hold f32"));
  }
  if (options.shape.empty() == options.model_name.empty()) {
    return absl::InvalidArgumentError("give one of a shape and a model folder");
  }
  if (!options.model_name.empty()) return LoadModel(options.model_name);
  ASSIGN_OR_RETURN(const ModelConfig config, BenchShape(options.shape));
  return MakeModel(config, options.seed);
}

// Seconds of each step, rising.
absl::StatusOr<std::vector<double>> Time(const Workload& work, int64_t steps) {
  std::vector<double> seconds;
  for (int64_t i = 0; i < kWarmUp + steps; ++i) {
    if (Interrupted()) return absl::CancelledError("interrupted");
    const double start = MonotonicSeconds();
    work.step();
    if (i >= kWarmUp) seconds.push_back(MonotonicSeconds() - start);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds;
}

}  // namespace

absl::StatusOr<Json> RunBench(const BenchOptions& options) {
  if (options.steps < 1) return absl::InvalidArgumentError("steps is 1 or more");
  ASSIGN_OR_RETURN(const std::unique_ptr<LanguageModel> model, OpenModel(options));
  ASSIGN_OR_RETURN(const Workload work, MakeWorkload(*model, options));
  Ceilings ceilings;
  ceilings.Measure(work);
  ResetPeak();
  ASSIGN_OR_RETURN(const std::vector<double> seconds, Time(work, options.steps));
  const int64_t peak_memory = GetMemoryCounters().peak_bytes;
  const double fastest = seconds.front();
  double flops_share, bytes_share;
  int rounds = 0;
  do {
    ceilings.Measure(work);
    flops_share = work.flops / fastest / ceilings.flops;
    bytes_share = work.bytes / fastest / ceilings.bytes;
  } while (std::max(flops_share, bytes_share) > kMostShare && ++rounds < kMostRounds && !Interrupted());
  if (std::max(flops_share, bytes_share) > kMostShare) {
    return absl::InternalError(
        absl::StrCat("a share of ", flops_share, " of the arithmetic and ", bytes_share,
                     " of the bandwidth ceiling: the ceilings were measured too low; try again on a "
                     "machine that does nothing else"));
  }
  return Json{{"mode", options.mode},
              {"shape", options.shape.empty() ? options.model_name : options.shape},
              {"seconds", {{"min", fastest}, {"median", seconds[seconds.size() / 2]}}},
              {"tokens_per_second", static_cast<double>(work.tokens) / fastest},
              {"flops_per_second", work.flops / fastest},
              {"bytes_per_second", work.bytes / fastest},
              {"share_of_compute_ceiling", flops_share},
              {"share_of_bandwidth_ceiling", bytes_share},
              {"peak_memory_bytes", peak_memory},
              {"batch_size", options.batch_size},
              {"block_size", options.mode == "decode" ? 1 : options.block_size},
              {"depth", options.depth},
              {"gradient_checkpointing", options.gradient_checkpointing},
              {"steps", options.steps},
              {"type", options.type},
              {"parameters", model->CountParameters()},
              {"isa", std::string(Name(CurrentIsa()))},
              {"threads", ThreadPool::Current().threads()}};
}

}  // namespace quern::cli
