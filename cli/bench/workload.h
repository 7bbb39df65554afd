// The steps that `quern bench` times, and what each has to do at least.
#ifndef QUERN_CLI_BENCH_WORKLOAD_H_
#define QUERN_CLI_BENCH_WORKLOAD_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "cli/bench/bench.h"
#include "nn/language_model.h"

namespace quern::cli {

struct Workload {
  int64_t tokens = 0;  // of a step
  double flops = 0, bytes = 0;
  bool mostly_reads = false;  // bounded by reading, not by copying
  std::function<void()> step;
};

// `model` outlives it. Errors as RunBench's.
absl::StatusOr<Workload> MakeWorkload(LanguageModel& model, const BenchOptions& options);

}  // namespace quern::cli

#endif  // QUERN_CLI_BENCH_WORKLOAD_H_
