#include "cli/doctor/doctor.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "base/progress.h"
#include "base/thread_pool.h"
#include "kernels/ceilings.h"
#include "tensor/device.h"

namespace quern::cli {
namespace {

constexpr uint64_t kGib = uint64_t{1} << 30;
// Beyond any cache.
constexpr uint64_t kMemoryFootprint = 256 << 20;

// What runs of other machines' time a timing can bear.
constexpr double kStolenTooMuch = 0.02;
constexpr uint64_t kLeastMemory = 4 * kGib, kLeastDisk = 5 * kGib, kLeastOpenFiles = 1024;

uint64_t UsableMemory(const Machine& machine) {
  if (machine.memory_limit_bytes == 0) return machine.memory_bytes;
  return std::min(machine.memory_bytes, machine.memory_limit_bytes);
}

int UsableCores(const Machine& machine) {
  const int quota = machine.core_quota > 0 ? std::max(1, static_cast<int>(machine.core_quota)) : machine.usable_cores;
  return std::min(machine.usable_cores, quota);
}

void AdviseProcessor(const Machine& machine, Isa best, std::vector<Advice>& advice) {
  if (best == Isa::kReference) {
    advice.push_back({true, "the processor has no AVX2 and FMA: the plain loops run, ten times slower and more",
                      "use a processor of 2015 or later; in a virtual machine, pass the host's processor through"});
  } else if (best == Isa::kAvx2) {
    advice.push_back({false, "the processor has no AVX-512", "one that has it does up to twice the arithmetic"});
  }
  if (UsableCores(machine) < machine.usable_cores) {
    advice.push_back(
        {true,
         absl::StrFormat("the control group grants %.1f cores of the %d that the process sees", machine.core_quota,
                         machine.usable_cores),
         absl::StrFormat("run with --threads %d, or raise the limit (docker run --cpus)", UsableCores(machine))});
  }
  if (machine.stolen_share > kStolenTooMuch) {
    advice.push_back({false,
                      absl::StrFormat("a hypervisor has taken %.0f%% of the processors' time since start",
                                      100 * machine.stolen_share),
                      "trust no single timing here; compare in one run, several times"});
  }
}

void AdviseRoom(const Machine& machine, std::vector<Advice>& advice) {
  if (UsableMemory(machine) > 0 && UsableMemory(machine) < kLeastMemory) {
    advice.push_back({true, absl::StrCat("only ", FormatBytes(UsableMemory(machine)), " of memory"),
                      "a build needs about 2 GiB per core: bazel build --jobs=1"});
  }
  if (machine.disk_free_bytes < kLeastDisk) {
    advice.push_back({true, absl::StrCat("only ", FormatBytes(machine.disk_free_bytes), " free in ", machine.folder),
                      "checkpoints and Bazel's outputs need several GiB; free some, or work on another disk"});
  }
  if (machine.open_files < kLeastOpenFiles) {
    advice.push_back({true, absl::StrCat("the process may have ", machine.open_files, " files open"),
                      "raise it before `quern serve`: ulimit -n 4096"});
  }
}

void AdviseCuda(const Machine& machine, std::vector<Advice>& advice) {
  if (machine.toolkit_home.empty()) {
    advice.push_back(
        {false, "no CUDA toolkit: kernels for GPUs are not compiled",
         "install CUDA 13 to /usr/local/cuda, or say where it is in CUDA_HOME; then build with --config=cuda"});
  } else if (!kBuiltWithCuda) {
    advice.push_back({false, "this binary was built without CUDA", "bazel build --config=cuda //cli:quern"});
  }
  if (machine.gpu_driver.empty()) {
    advice.push_back({false, "no NVIDIA driver: kernels for GPUs do not run here", "models run on the CPU"});
  }
}

std::string Names(const std::vector<Isa>& isas) {
  return absl::StrJoin(isas, ", ", [](std::string* out, Isa isa) { absl::StrAppend(out, std::string(Name(isa))); });
}

std::vector<Isa> UpTo(Isa best) {
  std::vector<Isa> isas;
  for (Isa isa : {Isa::kReference, Isa::kAvx2, Isa::kAvx512, Isa::kAvx512Bf16}) {
    if (isa <= best) isas.push_back(isa);
  }
  return isas;
}

std::string Cores(const Machine& machine) {
  std::string text = absl::StrCat(machine.usable_cores);
  if (machine.usable_cores < machine.cores) absl::StrAppend(&text, " of ", machine.cores, " (affinity)");
  if (machine.core_quota > 0) absl::StrAppendFormat(&text, ", %.1f cores' worth of time granted", machine.core_quota);
  return text;
}

std::string Caches(const Machine& machine) {
  return absl::StrJoin(machine.data_caches, ", ", [](std::string* out, const Cache& cache) {
    absl::StrAppend(out, "L", cache.level, " ", FormatBytes(cache.bytes));
  });
}

std::string Memory(const Machine& machine) {
  std::string text =
      absl::StrCat(FormatBytes(machine.memory_bytes), ", ", FormatBytes(machine.available_bytes), " of it available");
  if (machine.memory_limit_bytes > 0) {
    absl::StrAppend(&text, "; the control group's limit is ", FormatBytes(machine.memory_limit_bytes));
  }
  return text;
}

std::string Toolkit(const Machine& machine) {
  if (machine.toolkit_home.empty()) return "not found";
  return absl::StrCat(machine.toolkit_version, machine.toolkit_version.empty() ? "" : " in ", machine.toolkit_home,
                      kBuiltWithCuda ? "" : "; this binary was built without it");
}

}  // namespace

std::vector<Advice> Advise(const Machine& machine, Isa best) {
  std::vector<Advice> advice;
  AdviseProcessor(machine, best, advice);
  AdviseRoom(machine, advice);
  AdviseCuda(machine, advice);
  std::stable_partition(advice.begin(), advice.end(), [](const Advice& a) { return a.warning; });
  return advice;
}

Ceilings MeasureCeilings(const Machine& machine) {
  Ceilings ceilings;
  ceilings.threads = ThreadPool::Current().threads();
  const Isa chosen = CurrentIsa();
  for (Isa isa : AvailableIsas()) {
    if (isa == Isa::kReference && AvailableIsas().size() > 1) continue;
    SetIsa(isa);
    ceilings.f32_flops.emplace_back(isa, MeasureFlopsCeiling(DType::kF32));
  }
  SetIsa(chosen);
  std::vector<uint64_t> footprints;
  // Half of each thread's cache, of all threads together: what is sure to stay there.
  for (const Cache& cache : machine.data_caches) {
    if (cache.level <= 2) footprints.push_back(cache.bytes / 2 * static_cast<uint64_t>(ceilings.threads));
  }
  footprints.push_back(kMemoryFootprint);
  for (uint64_t bytes : footprints) {
    ceilings.bandwidth.emplace_back(bytes, MeasureBandwidthCeiling(static_cast<double>(bytes)));
  }
  return ceilings;
}

Json DoctorReport(const Machine& machine, Isa best, const Ceilings& ceilings, const std::vector<Advice>& advice) {
  Json sets = Json::array(), caches = Json::array(), flops = Json::object(), bandwidth = Json::array(),
       advices = Json::array();
  for (Isa isa : UpTo(best)) sets.push_back(std::string(Name(isa)));
  for (const Cache& cache : machine.data_caches) caches.push_back({{"level", cache.level}, {"bytes", cache.bytes}});
  for (const auto& row : ceilings.f32_flops) flops[std::string(Name(row.first))] = row.second;
  for (const auto& row : ceilings.bandwidth) {
    bandwidth.push_back({{"footprint_bytes", row.first}, {"bytes_per_second", row.second}});
  }
  for (const Advice& a : advice) {
    advices.push_back({{"kind", a.warning ? "warning" : "note"}, {"what", a.what}, {"remedy", a.remedy}});
  }
  const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
  return {{"processor",
           {{"name", machine.processor},
            {"cores", machine.cores},
            {"usable_cores", machine.usable_cores},
            {"core_quota", machine.core_quota > 0 ? Json(machine.core_quota) : Json()},
            {"instruction_sets", sets},
            {"data_caches", caches},
            {"stolen_share", machine.stolen_share}}},
          {"memory",
           {{"bytes", machine.memory_bytes},
            {"available_bytes", machine.available_bytes},
            {"limit_bytes", machine.memory_limit_bytes > 0 ? Json(machine.memory_limit_bytes) : Json()}}},
          {"disk", {{"folder", machine.folder}, {"free_bytes", machine.disk_free_bytes}}},
          {"open_files", machine.open_files},
          {"cuda",
           {{"built_with", kBuiltWithCuda},
            {"toolkit_home", or_null(machine.toolkit_home)},
            {"toolkit_version", or_null(machine.toolkit_version)},
            {"driver", or_null(machine.gpu_driver)},
            {"gpus", machine.gpus}}},
          {"ceilings", {{"threads", ceilings.threads}, {"f32_flops_per_second", flops}, {"bandwidth", bandwidth}}},
          {"advice", advices}};
}

std::string FormatDoctor(const Machine& machine, Isa best, const Ceilings& ceilings,
                         const std::vector<Advice>& advice) {
  std::string out;
  const auto row = [&out](absl::string_view name, absl::string_view value) {
    absl::StrAppendFormat(&out, "%-17s %s\n", name, value);
  };
  row("processor", machine.processor);
  row("cores", Cores(machine));
  row("instruction sets", Names(UpTo(best)));
  row("caches", Caches(machine));
  row("memory", Memory(machine));
  row("disk", absl::StrCat(FormatBytes(machine.disk_free_bytes), " free in ", machine.folder));
  row("CUDA toolkit", Toolkit(machine));
  row("GPU", machine.gpus.empty() ? "none" : absl::StrJoin(machine.gpus, ", "));
  absl::StrAppend(&out, "\nmeasured now, ", ceilings.threads, ceilings.threads == 1 ? " thread" : " threads",
                  "; the best of several rounds\n");
  for (const auto& ceiling : ceilings.f32_flops) {
    row(absl::StrCat("f32 ", std::string(Name(ceiling.first))), absl::StrFormat("%.0f GFLOP/s", ceiling.second / 1e9));
  }
  for (const auto& ceiling : ceilings.bandwidth) {
    row(ceiling.first == kMemoryFootprint ? "memory" : absl::StrCat("within ", FormatBytes(ceiling.first)),
        absl::StrFormat("%.0f GB/s", ceiling.second / 1e9));
  }
  if (!advice.empty()) absl::StrAppend(&out, "\n");
  for (const Advice& a : advice) {
    absl::StrAppend(&out, a.warning ? "warning: " : "note: ", a.what, "\n    ", a.remedy, "\n");
  }
  return out;
}

}  // namespace quern::cli
