// Runs a fuzz target over the files and folders that are its arguments. Exits 1 where there are none to run.
#include <cstdint>
#include <cstdio>

#include "base/file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace quern {
namespace {

int Replay(const std::string& path) {
  auto bytes = ReadFile(path);
  if (!bytes.ok()) {
    std::fprintf(stderr, "%s\n", bytes.status().ToString().c_str());
    return 0;
  }
  std::fprintf(stderr, "%s\n", path.c_str());  // beforehand: a crash says nothing afterwards
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes->data()), bytes->size());
  return 1;
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) {
  int runs = 0;
  for (int i = 1; i < argc; ++i) {
    const std::string path = argv[i];
    if (!quern::IsFolder(path)) {
      runs += quern::Replay(path);
      continue;
    }
    auto names = quern::ListFolder(path);
    if (!names.ok()) continue;
    for (const std::string& name : *names) runs += quern::Replay(quern::JoinPath(path, name));
  }
  std::fprintf(stderr, "%d inputs\n", runs);
  return runs > 0 ? 0 : 1;
}
