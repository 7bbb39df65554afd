// quern bench
#include "cli/bench/bench.h"

#include "absl/strings/str_format.h"
#include "base/progress.h"
#include "base/status_macros.h"
#include "cli/bench/shapes.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"

namespace quern::cli {
namespace {

std::string AsText(const Json& report) {
  std::string out;
  const auto row = [&out](const char* name, const std::string& value) {
    absl::StrAppendFormat(&out, "%-12s %s\n", name, value);
  };
  const auto number = [&report](const char* field) { return report[field].get<double>(); };
  const auto share = [&report](const char* field) {
    return report[field].is_number()
               ? absl::StrFormat("%.0f%% of this machine's ceiling", 100 * report[field].get<double>())
               : std::string("ceiling not measured");
  };
  row("mode", report["mode"].get<std::string>());
  row("shape", report["shape"].get<std::string>());
  row("parameters", FormatCount(report["parameters"].get<int64_t>()));
  row("step", absl::StrFormat("%.4g ms, median %.4g ms", 1e3 * report["seconds"]["min"].get<double>(),
                              1e3 * report["seconds"]["median"].get<double>()));
  row("tokens", absl::StrFormat("%.1f per second", number("tokens_per_second")));
  row("arithmetic",
      absl::StrFormat("%.1f GFLOP/s, %s", number("flops_per_second") / 1e9, share("share_of_compute_ceiling")));
  row("memory",
      absl::StrFormat("%.1f GB/s, %s", number("bytes_per_second") / 1e9, share("share_of_bandwidth_ceiling")));
  row("peak memory", FormatBytes(report["peak_memory_bytes"].get<uint64_t>()));
  row("on", absl::StrFormat("%s, %d threads, %s", report["isa"].get<std::string>(), report["threads"].get<int>(),
                            report["type"].get<std::string>()));
  return out;
}

class BenchCommand : public Command {
 public:
  void Declare(Flags& flags) override {
    flags.Add("shape", &options_.shape, "NAME", "random weights of this shape").Choices(BenchShapes());
    flags.Add("model_name", &options_.model_name, "M", "or the weights of a model folder");
    flags.Add("mode", &options_.mode, "MODE", "what a step is").Choices({"train", "prefill", "decode"});
    flags.Add("batch_size", &options_.batch_size, "N", "sequences").Range(1, 1 << 20);
    flags.Add("block_size", &options_.block_size, "N", "tokens of each (train, prefill)").Range(1, 1 << 20);
    flags.Add("gradient_checkpointing", &options_.gradient_checkpointing, "", "train: run blocks again in backward");
    flags.Add("depth", &options_.depth, "N", "tokens cached before them (prefill, decode)").Range(0, 1 << 30);
    flags.Add("steps", &options_.steps, "N", "steps that are timed, after two that are not").Range(1, 1 << 20);
    flags.Add("type", &options_.type, "T", "of the weights").Choices({"f32"});
  }

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    if (options_.shape.empty() == options_.model_name.empty()) {
      return UsageError("give one of --shape NAME and --model_name M");
    }
    options_.seed = global.seed;
    ASSIGN_OR_RETURN(const Json report, RunBench(options_));
    RETURN_IF_ERROR(Print(global.json ? WriteJson(report) : AsText(report)));
    return kDone;
  }

 private:
  BenchOptions options_;
};

}  // namespace

extern const Verb kBench;
const Verb kBench = {
    .name = "bench",
    .summary = "how fast whole steps go, against what this machine can do",
    .usage = "(--shape NAME | --model_name M) --mode train|prefill|decode [flags]",
    .details = R"(Times whole steps of a model, and in the same run what this machine's arithmetic and memory can do at
most; a share of 100% would be a perfect program.)",
    .examples = R"(quern bench --shape gpt2-124m --mode train --batch_size 4 --block_size 64
quern bench --model_name artifacts/book --mode decode --batch_size 8 --depth 512 --json)",
    .make = Make<BenchCommand>,
};

}  // namespace quern::cli
