// `quern bench`: how fast whole steps of a model go, against what this machine can do at most, measured in the same
// run.
//
//   train    forward, backward, norm and clipping of the gradient, AdamW: `batch_size` sequences of `block_size` tokens
//   prefill  `batch_size` prompts of `block_size` tokens, each behind `depth` cached ones; logits of the last rows
//   decode   one token for each of `batch_size` sequences behind `depth` cached ones; logits of all
#ifndef QUERN_CLI_BENCH_BENCH_H_
#define QUERN_CLI_BENCH_BENCH_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "base/json.h"

namespace quern::cli {

struct BenchOptions {
  std::string shape;       // a name in BenchShapes(), with random weights; or
  std::string model_name;  // a model folder
  std::string mode = "train";
  int64_t batch_size = 4, block_size = 64, depth = 0;
  bool gradient_checkpointing = false;  // training: blocks run again in the backward pass (ForwardOptions)
  int64_t steps = 5;                    // timed; two before them are not
  std::string type = "f32";
  uint64_t seed = 0;
};

// {mode, shape, seconds{min, median}, tokens_per_second, flops_per_second, bytes_per_second, share_of_compute_ceiling,
//  share_of_bandwidth_ceiling, peak_memory_bytes}, and batch_size, block_size, depth, gradient_checkpointing, steps,
//  type, parameters, isa, threads.
//
// Rates and shares are those of the fastest step, which a busy machine disturbs least. Their numerators are what any
// program would have to do: multiplications by weights, and attention to those keys that are not masked (a multiply-add
// counts two); each weight read once per pass that needs it, cached keys and values once, and in training each
// gradient, weight and moment once per read and write of the update. What a program recomputes, copies or spills does
// not count. peak_memory_bytes is the most that tensors hold while steps run, weights included. Ceilings are measured
// before and after the steps, on the pool and instruction set of the moment.
//
// NotFound, InvalidArgument: no such shape, mode or type; sizes that the model's positions do not hold.
// ResourceExhausted: it would not fit in memory. Cancelled: interrupted. Internal: faster than the ceiling by more than
// 2 %, so a measurement is wrong.
absl::StatusOr<Json> RunBench(const BenchOptions& options);

}  // namespace quern::cli

#endif  // QUERN_CLI_BENCH_BENCH_H_
