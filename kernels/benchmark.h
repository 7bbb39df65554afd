// The microbenchmark of every room: subject and opponents interleaved in one process, against ceilings measured in the
// same run on the same instruction set (kernels/ceilings.h; processors differ by 2x, so ceilings are never written
// down).
//
//   bazel run //kernels/rms_norm:rms_norm_benchmark -- [--json] [--filter RE] [--threads N] [--isa ISA]
//
// One row per case: {kernel, case, dtype, isa, threads, seconds{min,median}, flops_per_second | bytes_per_second,
// share_of_ceiling, opponents{name: ratio}}; a ratio above 1 where ours is faster. Rates, shares and ratios are those
// of the fastest rounds, which a busy machine disturbs least. A share above 1.02 is a measuring error and exits 1.
// Wrong flags, and a filter that matches no case, exit 2.
#ifndef QUERN_KERNELS_BENCHMARK_H_
#define QUERN_KERNELS_BENCHMARK_H_

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "kernels/ceilings.h"
#include "tensor/dtype.h"

namespace quern {

struct BenchmarkCase {
  std::string name;  // "512x512x512"
  DType dtype = DType::kF32;
  // What a call must do at least. Where both are given, the ceiling is the one that takes longer (the roofline), and
  // the rate that the row shows is its.
  double flops = 0;
  double bytes = 0;      // read and written once each
  double written = -1;   // how many of them are written: the others come no faster than reading goes. -1: unknown
  double footprint = 0;  // memory that a round touches, where that is not `bytes` (work in place, an opponent's copy)
  std::function<void()> run;  // the subject
  std::vector<std::pair<std::string, std::function<void()>>> opponents;
  // Where inputs are large: makes `run` and `opponents` when the case's turn has come. Cases are dropped after it.
  std::function<void(BenchmarkCase& self)> prepare;
};

// The whole main(): flags, warm-up, interleaved timing (min and median over at least 0.3 s and 10 rounds a case), the
// table or JSON lines. `make_cases` is called once, after threads and instruction set are set.
int BenchmarkMain(int argc, char** argv, const std::string& kernel,
                  const std::function<std::vector<BenchmarkCase>()>& make_cases);

}  // namespace quern

#endif  // QUERN_KERNELS_BENCHMARK_H_
