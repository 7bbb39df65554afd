// `quern doctor`: what this machine can do, measured, and what would help it do more.
#ifndef QUERN_CLI_DOCTOR_DOCTOR_H_
#define QUERN_CLI_DOCTOR_DOCTOR_H_

#include <string>
#include <vector>

#include "base/json.h"
#include "cli/doctor/machine.h"
#include "kernels/isa.h"

namespace quern::cli {

// Something that is missing or in the way. A warning is about what Quern needs, a note about what it could use.
struct Advice {
  bool warning = false;
  std::string what, remedy;
};

// What `machine` lacks. `best` is the best instruction set of its processor.
std::vector<Advice> Advise(const Machine& machine, Isa best);

struct Ceilings {
  std::vector<std::pair<Isa, double>> f32_flops;  // per second, all threads, per instruction set; without the reference
  std::vector<std::pair<uint64_t, double>> bandwidth;  // bytes/s from memory of that many bytes; caches first
  int threads = 0;
};

// Takes some seconds. The process's instruction set is what it was afterwards.
Ceilings MeasureCeilings(const Machine& machine);

// {processor{…}, memory{…}, disk{…}, cuda{…}, ceilings{…}, advice[{kind, what, remedy}]}
Json DoctorReport(const Machine& machine, Isa best, const Ceilings& ceilings, const std::vector<Advice>& advice);
std::string FormatDoctor(const Machine& machine, Isa best, const Ceilings& ceilings, const std::vector<Advice>& advice);

}  // namespace quern::cli

#endif  // QUERN_CLI_DOCTOR_DOCTOR_H_
