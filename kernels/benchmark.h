// The microbenchmark of every room: subject and opponents interleaved in one process, against ceilings measured in the same
// run on the same instruction set (inline assembly; processors differ by 2x, so ceilings are never written down).
//
//   bazel run //kernels/rms_norm:rms_norm_benchmark -- [--json] [--filter RE] [--threads N] [--isa ISA]
//
// One row per case: {kernel, case, dtype, isa, threads, seconds{min,median}, flops_per_second | bytes_per_second,
// share_of_ceiling, opponents{name: ratio}}; a ratio above 1 where ours is faster. A share above 1.02 is a measuring error and
// exits 1.
#ifndef QUERN_KERNELS_BENCHMARK_H_
#define QUERN_KERNELS_BENCHMARK_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tensor/dtype.h"

namespace quern {

struct BenchmarkCase {
  std::string name;              // "512x512x512"
  DType dtype = DType::kF32;
  double flops = 0;              // per call; 0 for a memory-bound case
  double bytes = 0;              // per call, read and written once each; 0 for a compute-bound case
  std::function<void()> run;     // the subject
  std::vector<std::pair<std::string, std::function<void()>>> opponents;
};

// The whole main(): flags, warm-up, interleaved timing (min and median over at least 0.3 s and 10 rounds a case), the table
// or JSON lines. `make_cases` is called once, after threads and instruction set are set.
int BenchmarkMain(int argc, char** argv, const std::string& kernel, const std::function<std::vector<BenchmarkCase>()>& make_cases);

// Ceilings of this machine now, at the current instruction set and thread count.
double MeasureFlopsCeiling(DType dtype);       // FMA (or dot-product) chains in registers, flop/s
// Reads or writes whichever memory level holds `bytes`; bytes/s.
double MeasureBandwidthCeiling(double bytes);

}  // namespace quern

#endif  // QUERN_KERNELS_BENCHMARK_H_
