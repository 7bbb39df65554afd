// What this machine has: read from /proc and /sys, nothing executed but the toolkit's own version file read.
#ifndef QUERN_CLI_DOCTOR_MACHINE_H_
#define QUERN_CLI_DOCTOR_MACHINE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace quern::cli {

struct Cache {
  int level = 0;
  uint64_t bytes = 0;  // of one instance
};

// What a file does not tell stays empty or 0.
struct Machine {
  std::string processor;
  int cores = 0;                   // that the machine has, hyperthreads counting
  int usable_cores = 0;            // that this process may run on
  double core_quota = 0;           // cores' worth of time that its control group grants; 0: no limit
  std::vector<Cache> data_caches;  // rising levels
  double stolen_share = 0;         // of the processors' time since start, taken by a hypervisor for others

  uint64_t memory_bytes = 0, available_bytes = 0;
  uint64_t memory_limit_bytes = 0;  // of the control group; 0: none

  std::string folder;            // where the program was started
  uint64_t disk_free_bytes = 0;  // there
  uint64_t open_files = 0;       // that this process may have open

  std::string toolkit_home, toolkit_version;  // CUDA; empty: not found
  std::string gpu_driver;                     // empty: none
  std::vector<std::string> gpus;              // models
};

// `root` stands before /proc, /sys and the default CUDA_HOME: "" but in tests. `cuda_home`: where the toolkit is looked
// for, "" for /usr/local/cuda. What is no file (cores, open files, the disk) is always this machine's.
Machine ReadMachine(const std::string& root = "", const std::string& cuda_home = "");

}  // namespace quern::cli

#endif  // QUERN_CLI_DOCTOR_MACHINE_H_
