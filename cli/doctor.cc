// quern doctor
#include "cli/doctor/doctor.h"

#include <cstdlib>

#include "base/status_macros.h"
#include "cli/command.h"
#include "cli/exit_status.h"
#include "cli/output.h"

namespace quern::cli {
namespace {

class DoctorCommand : public Command {
 public:
  void Declare(Flags&) override {}

  absl::StatusOr<int> Run(const GlobalFlags& global, const Flags&) override {
    const char* cuda_home = std::getenv("CUDA_HOME");
    const Machine machine = ReadMachine("", cuda_home == nullptr ? "" : cuda_home);
    const Isa best = DetectIsa();
    const std::vector<Advice> advice = Advise(machine, best);
    const Ceilings ceilings = MeasureCeilings(machine);
    RETURN_IF_ERROR(Print(global.json ? WriteJson(DoctorReport(machine, best, ceilings, advice))
                                      : FormatDoctor(machine, best, ceilings, advice)));
    return kDone;
  }
};

}  // namespace

extern const Verb kDoctor;
const Verb kDoctor = {
    .name = "doctor",
    .summary = "what this machine has, what it can do at most, and what it lacks",
    .usage = "[--json]",
    .details =
        R"(Instruction sets, cores, caches, memory, CUDA toolkit and GPU; the arithmetic and memory ceilings, measured
now; and what is missing, with what to do about it. Changes nothing. Goes well with a report of a bug.)",
    .examples = R"(quern doctor
quern doctor --threads 1 --json)",
    .make = Make<DoctorCommand>,
};

}  // namespace quern::cli
