#include "cli/doctor/doctor.h"

#include <map>

#include "base/file.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern::cli {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Folder(const std::string& name) { return testing::TempDir() + "/" + name; }

// A folder that looks like / of the machine whose files these are.
std::string Root(const std::string& name, const std::map<std::string, std::string>& files) {
  const std::string root = Folder(name);
  for (const auto& file : files) {
    EXPECT_TRUE(MakeFolders(Dirname(root + file.first)).ok());
    EXPECT_TRUE(WriteFileAtomic(root + file.first, file.second).ok());
  }
  return root;
}

TEST(DoctorTest, ReadsWhatTheMachineTells) {
  const std::string cache = "/sys/devices/system/cpu/cpu0/cache/index";
  const std::string root = Root(
      "full",
      {{"/proc/cpuinfo", "processor\t: 0\nmodel name\t: Example 9000 @ 3.0GHz\nflags\t\t: fpu avx2\n"},
       {"/proc/meminfo", "MemTotal:       2097152 kB\nMemFree:  1 kB\nMemAvailable:   1048576 kB\n"},
       {"/proc/stat", "cpu  50 0 20 20 0 0 0 10 0 0\ncpu0 1 2 3\n"},
       {"/sys/fs/cgroup/cpu.max", "150000 100000\n"},
       {"/sys/fs/cgroup/memory.max", "1073741824\n"},
       {cache + "0/level", "1\n"},
       {cache + "0/size", "48K\n"},
       {cache + "0/type", "Data\n"},
       {cache + "1/level", "1\n"},
       {cache + "1/size", "32K\n"},
       {cache + "1/type", "Instruction\n"},
       {cache + "2/level", "2\n"},
       {cache + "2/size", "2M\n"},
       {cache + "2/type", "Unified\n"},
       {"/usr/local/cuda/bin/nvcc", ""},
       {"/usr/local/cuda/include/cuda.h", "#ifndef X\n#define CUDA_VERSION 13010\n"},
       {"/proc/driver/nvidia/version", "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Sun\n"},
       {"/proc/driver/nvidia/gpus/0000:01:00.0/information", "Model: \t\t NVIDIA H200\nIRQ: 1\n"}});
  const Machine machine = ReadMachine(root);
  EXPECT_EQ(machine.processor, "Example 9000 @ 3.0GHz");
  EXPECT_EQ(machine.memory_bytes, uint64_t{2} << 30);
  EXPECT_EQ(machine.available_bytes, uint64_t{1} << 30);
  EXPECT_EQ(machine.memory_limit_bytes, uint64_t{1} << 30);
  EXPECT_DOUBLE_EQ(machine.core_quota, 1.5);
  EXPECT_DOUBLE_EQ(machine.stolen_share, 0.1);
  EXPECT_THAT(machine.data_caches, ElementsAre(Field(&Cache::bytes, 48u << 10), Field(&Cache::bytes, 2u << 20)));
  EXPECT_EQ(machine.toolkit_version, "13.1");
  EXPECT_EQ(machine.gpu_driver, "580.65.06");
  EXPECT_THAT(machine.gpus, ElementsAre("NVIDIA H200"));
}

TEST(DoctorTest, ReadsNothingIntoMissingOrStrangeFiles) {
  const Machine empty = ReadMachine(Folder("nowhere"));
  EXPECT_EQ(empty.processor, "");
  EXPECT_EQ(empty.memory_bytes, 0u);
  EXPECT_THAT(empty.data_caches, IsEmpty());
  EXPECT_THAT(empty.gpus, IsEmpty());
  EXPECT_GE(empty.usable_cores, 1) << "asked of the system, not of a file";
  const Machine strange = ReadMachine(Root("strange", {{"/proc/cpuinfo", "\0:\n:::"},
                                                       {"/proc/meminfo", "MemTotal: lots\nMemAvailable:"},
                                                       {"/proc/stat", "cpu"},
                                                       {"/sys/fs/cgroup/cpu.max", "max 100000\n"},
                                                       {"/sys/fs/cgroup/memory.max", "max\n"},
                                                       {"/proc/driver/nvidia/version", "NVRM version:"}}));
  EXPECT_EQ(strange.memory_bytes, 0u);
  EXPECT_EQ(strange.memory_limit_bytes, 0u);
  EXPECT_EQ(strange.core_quota, 0);
  EXPECT_EQ(strange.stolen_share, 0);
  EXPECT_EQ(strange.gpu_driver, "");
}

// Nothing to complain of, on the side of the processor and the room.
Machine Fit() {
  Machine machine;
  machine.cores = machine.usable_cores = 8;
  machine.memory_bytes = machine.available_bytes = uint64_t{64} << 30;
  machine.disk_free_bytes = uint64_t{100} << 30;
  machine.open_files = 4096;
  machine.toolkit_home = "/usr/local/cuda";
  machine.gpu_driver = "580";
  return machine;
}

TEST(DoctorTest, AdvisesOnWhatIsMissingOnly) {
  for (const Advice& advice : Advise(Fit(), Isa::kAvx512)) EXPECT_FALSE(advice.warning) << advice.what;
  EXPECT_THAT(Advise(Fit(), Isa::kReference), Contains(Field(&Advice::what, HasSubstr("no AVX2"))));
  const auto expect = [](void (*change)(Machine&), const char* said) {
    Machine machine = Fit();
    EXPECT_THAT(Advise(machine, Isa::kAvx512), Not(Contains(Field(&Advice::what, HasSubstr(said)))));
    change(machine);
    EXPECT_THAT(Advise(machine, Isa::kAvx512), Contains(Field(&Advice::what, HasSubstr(said))));
  };
  expect([](Machine& m) { m.core_quota = 2; }, "grants 2.0 cores of the 8");
  expect([](Machine& m) { m.stolen_share = 0.3; }, "30%");
  expect([](Machine& m) { m.memory_limit_bytes = 1 << 30; }, "of memory");
  expect([](Machine& m) { m.disk_free_bytes = 0; }, "free in");
  expect([](Machine& m) { m.open_files = 256; }, "256 files open");
  expect([](Machine& m) { m.toolkit_home.clear(); }, "no CUDA toolkit");
  expect([](Machine& m) { m.gpu_driver.clear(); }, "no NVIDIA driver");
}

TEST(DoctorTest, MeasuresThisMachineAndReportsIt) {
  const Machine machine = ReadMachine();
  const Isa before = CurrentIsa();
  const Ceilings ceilings = MeasureCeilings(machine);
  EXPECT_EQ(CurrentIsa(), before);
  ASSERT_FALSE(ceilings.f32_flops.empty());
  for (const auto& ceiling : ceilings.f32_flops) EXPECT_GT(ceiling.second, 1e8);
  for (const auto& ceiling : ceilings.bandwidth) EXPECT_GT(ceiling.second, 1e7);
  const std::vector<Advice> advice = {{true, "no salt", "add some"}};
  const Json report = DoctorReport(machine, DetectIsa(), ceilings, advice);
  EXPECT_EQ(report["advice"][0], (Json{{"kind", "warning"}, {"what", "no salt"}, {"remedy", "add some"}}));
  EXPECT_EQ(report["ceilings"]["f32_flops_per_second"].size(), ceilings.f32_flops.size());
  const std::string text = FormatDoctor(machine, DetectIsa(), ceilings, advice);
  EXPECT_THAT(text, HasSubstr("warning: no salt\n    add some\n"));
  EXPECT_THAT(text, HasSubstr("GFLOP/s"));
}

}  // namespace
}  // namespace quern::cli
