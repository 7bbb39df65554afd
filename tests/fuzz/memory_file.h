// Bytes under a path, for readers that take one: a file in memory.
#ifndef QUERN_TESTS_FUZZ_MEMORY_FILE_H_
#define QUERN_TESTS_FUZZ_MEMORY_FILE_H_

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "base/log.h"

namespace quern {

class MemoryFile {
 public:
  MemoryFile(const uint8_t* data, size_t size) : fd_(memfd_create("fuzz", MFD_CLOEXEC)) {
    CHECK(fd_ >= 0 && write(fd_, data, size) == static_cast<ssize_t>(size)) << "memfd";
  }
  ~MemoryFile() { close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

}  // namespace quern

#endif  // QUERN_TESTS_FUZZ_MEMORY_FILE_H_
