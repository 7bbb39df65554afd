#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "tests/op_vectors/runner.h"

int main(int argc, char** argv) {
  // `bazel run` starts programs among their runfiles; a user's relative paths are meant from where he stands.
  std::error_code ignored;
  if (const char* caller = std::getenv("BUILD_WORKING_DIRECTORY")) std::filesystem::current_path(caller, ignored);
  return quern::OpVectorsMain({argv + 1, argv + argc}, std::cout, std::cerr);
}
