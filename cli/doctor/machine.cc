#include "cli/doctor/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/file.h"

namespace quern::cli {
namespace {

// "" where there is none: facts that a machine does not tell are left out.
std::string Text(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, /*max_bytes=*/1 << 22);
  return text.ok() ? *text : std::string();
}

// What stands behind "name:" in lines of "name: value"; "" without such a line.
std::string Field(const std::string& text, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (absl::StripAsciiWhitespace(parts.first) == name) return std::string(absl::StripAsciiWhitespace(parts.second));
  }
  return "";
}

// The number that `text` begins with, times 1024 for each step of its unit (K, kB, M, G); 0 for what is none.
uint64_t Bytes(absl::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[digits]))) ++digits;
  uint64_t value = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &value)) return 0;
  const absl::string_view unit = absl::StripLeadingAsciiWhitespace(text.substr(digits));
  const size_t step =
      unit.empty() ? 0 : std::string("KMG").find(absl::ascii_toupper(static_cast<unsigned char>(unit[0]))) + 1;
  return value << 10 * (step > 3 ? 0 : step);
}

std::vector<Cache> DataCaches(const std::string& cpu) {
  std::vector<Cache> caches;
  for (int i = 0; i < 8; ++i) {
    const std::string folder = absl::StrCat(cpu, "/cache/index", i);
    const std::string size = Text(folder + "/size");
    if (size.empty()) break;
    if (absl::StartsWith(Text(folder + "/type"), "Instruction")) continue;
    caches.push_back({std::atoi(Text(folder + "/level").c_str()), Bytes(size)});
  }
  std::sort(caches.begin(), caches.end(), [](const Cache& a, const Cache& b) { return a.level < b.level; });
  return caches;
}

// The eighth count of the first line of /proc/stat, of the first eight.
double StolenShare(const std::string& stat) {
  const std::vector<std::string> words = absl::StrSplit(stat.substr(0, stat.find('\n')), ' ', absl::SkipEmpty());
  double all = 0, stolen = 0;
  for (size_t i = 1; i < words.size() && i <= 8; ++i) {
    double count = 0;
    if (absl::SimpleAtod(words[i], &count)) all += count;
    if (i == 8) stolen = count;
  }
  return all > 0 ? stolen / all : 0;
}

// "QUOTA PERIOD" of cgroup v2, "max PERIOD" without a limit.
double CoreQuota(const std::string& text) {
  const std::vector<std::string> words = absl::StrSplit(text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  double quota = 0, period = 0;
  if (words.size() != 2 || !absl::SimpleAtod(words[0], &quota) || !absl::SimpleAtod(words[1], &period)) return 0;
  return period > 0 ? quota / period : 0;
}

void ReadProcess(Machine& machine) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) machine.usable_cores = CPU_COUNT(&set);
  machine.cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) machine.open_files = files.rlim_cur;
  struct statvfs disk {};
  if (statvfs(".", &disk) == 0) machine.disk_free_bytes = uint64_t{disk.f_bavail} * disk.f_frsize;
  if (char* folder = getcwd(nullptr, 0)) {
    machine.folder = folder;
    std::free(folder);
  }
}

// cuda.h says "#define CUDA_VERSION 13010" of 13.1.
std::string ToolkitVersion(const std::string& cuda_h) {
  static constexpr absl::string_view kDefine = "#define CUDA_VERSION ";
  const size_t at = cuda_h.find(std::string(kDefine));
  if (at == std::string::npos) return "";
  const int version = std::atoi(cuda_h.c_str() + at + kDefine.size());
  return absl::StrCat(version / 1000, ".", version % 1000 / 10);
}

void ReadGpu(const std::string& root, const std::string& cuda_home, Machine& machine) {
  const std::string home = cuda_home.empty() ? root + "/usr/local/cuda" : cuda_home;
  if (FileExists(home + "/bin/nvcc")) {
    machine.toolkit_home = home;
    machine.toolkit_version = ToolkitVersion(Text(home + "/include/cuda.h"));
  }
  // "NVRM version: NVIDIA UNIX ... Kernel Module  580.65  date": the first word of digits and dots.
  for (absl::string_view word :
       absl::StrSplit(Field(Text(root + "/proc/driver/nvidia/version"), "NVRM version"), ' ', absl::SkipEmpty())) {
    if (absl::ascii_isdigit(static_cast<unsigned char>(word[0])) && absl::StrContains(word, ".")) {
      machine.gpu_driver = std::string(word);
      break;
    }
  }
  const std::string gpus = root + "/proc/driver/nvidia/gpus";
  if (!IsFolder(gpus)) return;
  const absl::StatusOr<std::vector<std::string>> names = ListFolder(gpus);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    machine.gpus.push_back(Field(Text(absl::StrCat(gpus, "/", name, "/information")), "Model"));
  }
}

}  // namespace

Machine ReadMachine(const std::string& root, const std::string& cuda_home) {
  Machine machine;
  ReadProcess(machine);
  machine.processor = Field(Text(root + "/proc/cpuinfo"), "model name");
  machine.data_caches = DataCaches(root + "/sys/devices/system/cpu/cpu0");
  machine.stolen_share = StolenShare(Text(root + "/proc/stat"));
  machine.core_quota = CoreQuota(Text(root + "/sys/fs/cgroup/cpu.max"));
  const std::string memory = Text(root + "/proc/meminfo");
  machine.memory_bytes = Bytes(Field(memory, "MemTotal"));
  machine.available_bytes = Bytes(Field(memory, "MemAvailable"));
  machine.memory_limit_bytes = Bytes(Text(root + "/sys/fs/cgroup/memory.max"));
  ReadGpu(root, cuda_home, machine);
  return machine;
}

}  // namespace quern::cli
