// Who may include whom: the layers of the house as a table, and the check of every #include against it.
//
// Bazel's visibility says who may depend on a target; it does not see an include that arrives through another target's
// dependencies. This reads the #include lines themselves. What the table does not allow is refused, unknown folders
// too.
#ifndef QUERN_TESTS_LAYERING_H_
#define QUERN_TESTS_LAYERING_H_

#include <string>
#include <vector>

namespace quern {

struct SourceFile {
  std::string path;  // from the root of the tree: "kernels/simd.h"
  std::string text;
};

struct LayeringViolation {
  std::string path;
  std::string include;  // as written, with its quotes; empty when the file itself is out of place
  std::string rule;
};

// Checks, for every file:
//  - it stands in a folder of the table, and its quoted includes are paths from the root into folders it may see;
//  - libraries are included by the folders that own their use (CLI11 by one file);
//  - what a *_cpu.cc unit sees, directly or not, is kernels/ headers, <cstdint>, <cstddef> and <immintrin.h>: anything
//    else could put an inline function compiled for AVX-512 before the linker (a benchmark's opponent may be Eigen);
//  - what a .cu file sees holds no library but CUDA's.
std::vector<LayeringViolation> CheckLayering(const std::vector<SourceFile>& files);

// The C++ and CUDA sources below `root`, without hidden folders, symbolic links and Bazel's outputs. Sorted.
std::vector<SourceFile> ReadSources(const std::string& root);

// The root of the source tree that a test runs from: where the test's runfile `path` really lies. A test that reads the
// tree this way sees files that no target declares; it carries the tag `external`, so that its result is never cached.
std::string SourceRoot(const std::string& path);

}  // namespace quern

#endif  // QUERN_TESTS_LAYERING_H_
