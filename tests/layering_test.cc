#include "tests/layering.h"

#include <algorithm>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

// "path: rule" of each violation of files given as {path, includes...}.
std::vector<std::string> Check(const std::vector<std::vector<std::string>>& files) {
  std::vector<SourceFile> sources;
  for (const auto& file : files) {
    SourceFile source{file[0], "// A file.\n"};
    for (size_t i = 1; i < file.size(); ++i) source.text += std::string("#") + "include " + file[i] + "\n";
    sources.push_back(source);
  }
  std::vector<std::string> found;
  for (const LayeringViolation& v : CheckLayering(sources)) found.push_back(v.path + " " + v.include + ": " + v.rule);
  return found;
}

std::string Only(const std::vector<std::string>& found) {
  return found.size() == 1 ? found[0] : std::to_string(found.size()) + " violations";
}

TEST(LayeringTest, TheTreeKeepsTheLayers) {
  const std::vector<SourceFile> files = ReadSources(SourceRoot("tests/BUILD.bazel"));
  ASSERT_GT(files.size(), 50u);
  for (const char* expected : {"base/file.h", "kernels/simd.h", "tests/layering.cc", "tensor/memory_cuda.cu"}) {
    EXPECT_TRUE(std::any_of(files.begin(), files.end(), [&](const SourceFile& f) { return f.path == expected; }))
        << expected << " was not read";
  }
  for (const LayeringViolation& v : CheckLayering(files)) {
    ADD_FAILURE() << v.path << " includes " << v.include << ": " << v.rule
                  << ". The table is in tests/layering.cc; the reasons are in the design.";
  }
}

TEST(LayeringTest, DownwardIsAllowed) {
  EXPECT_THAT(
      Check({{"base/a.h", "\"base/b.h\"", "\"absl/status/status.h\"", "<vector>", "\"nlohmann/json.hpp\""},
             {"tensor/a.h", "\"base/b.h\"", "\"tensor/b.h\""},
             {"kernels/x/x.cc", "\"kernels/isa.h\"", "\"tensor/tensor.h\"", "\"base/log.h\""},
             {"nn/a.cc", "\"autograd/var.h\"", "\"nn/model_config.pb.h\""},
             {"data/a.cc", "\"tensor/a.h\"", "\"data/tokenizer/b.h\"", "<unicode/unorm2.h>"},
             {"train/a.cc", "\"nn/a.h\"", "\"data/a.h\""},
             {"eval/a.cc", "\"nn/a.h\"", "\"data/a.h\"", "<Eigen/Dense>"},
             {"serve/a.cc", "\"nn/a.h\"", "\"data/tokenizer/a.h\"", "\"data/chat_template/a.h\"", "<boost/asio.hpp>"},
             {"cli/a.cc", "\"train/a.h\"", "\"eval/a.h\"", "\"serve/a.h\"", "<CLI/CLI.hpp>"},
             {"tests/a.cc", "\"cli/a.h\"", "\"serve/a.h\"", "\"gtest/gtest.h\""}}),
      IsEmpty());
}

TEST(LayeringTest, EveryForbiddenEdgeIsFound) {
  const std::vector<std::string> order = {"base", "tensor", "kernels", "autograd", "nn", "train", "cli"};
  for (size_t low = 0; low < order.size(); ++low) {
    for (size_t high = low + 1; high < order.size(); ++high) {
      EXPECT_EQ(Only(Check({{order[low] + "/a.cc", "\"" + order[high] + "/b.h\""}})),
                order[low] + "/a.cc \"" + order[high] + "/b.h\": " + order[low] + " does not see " + order[high]);
    }
  }
  for (const auto& [from, to] :
       std::vector<std::pair<std::string, std::string>>{{"train", "eval"},
                                                        {"train", "serve"},
                                                        {"eval", "train"},
                                                        {"eval", "serve"},
                                                        {"serve", "train"},
                                                        {"serve", "eval"},
                                                        {"serve", "data"},
                                                        {"data", "kernels"},
                                                        {"data", "nn"},
                                                        {"nn", "data"},
                                                        {"kernels", "data"},
                                                        {"data/tokenizer", "data"},
                                                        {"data/tokenizer", "data/chat_template"},
                                                        {"data/chat_template", "data"},
                                                        {"cli", "tests"},
                                                        {"base", "tests"},
                                                        {"nn", "data/tokenizer"}}) {
    EXPECT_EQ(Check({{from + "/a.cc", "\"" + to + "/b.h\""}}).size(), 1u) << from << " " << to;
  }
}

TEST(LayeringTest, HoweverItIsWritten) {
  for (const char* line : {"#include \"train/a.h\"", "  #  include   \"train/a.h\"  // why", "\t#include\"train/a.h\"",
                           "#include <train/a.h>"}) {
    EXPECT_FALSE(CheckLayering({{"base/a.cc", std::string("\n") + line}}).empty()) << line;
  }
  EXPECT_THAT(CheckLayering({{"base/a.cc", "// # include \"train/a.h\"\n#includes\n#include\n#include \"x"}}),
              IsEmpty());
}

TEST(LayeringTest, WhatTheTableDoesNotKnowIsRefused) {
  EXPECT_THAT(Only(Check({{"extras/a.cc"}})), HasSubstr("no such folder"));
  EXPECT_THAT(Only(Check({{"a.cc"}})), HasSubstr("no such folder"));
  EXPECT_THAT(Only(Check({{"base/a.cc", "\"extras/a.h\""}})), HasSubstr("quoted includes are paths from the root"));
  EXPECT_THAT(Only(Check({{"base/a.cc", "\"a.h\""}})), HasSubstr("quoted includes are paths from the root"));
  EXPECT_THAT(Only(Check({{"base/a.cc", "\"../train/a.h\""}})), HasSubstr("quoted includes are paths from the root"));
  EXPECT_THAT(Only(Check({{"base/a.cc", "<base/b.h>"}})), HasSubstr("with quotes"));
}

TEST(LayeringTest, LibrariesHaveOwners) {
  EXPECT_THAT(Only(Check({{"base/a.cc", "<boost/asio.hpp>"}})), HasSubstr("does not use boost"));
  EXPECT_THAT(Only(Check({{"train/a.cc", "\"nlohmann/json.hpp\""}})), HasSubstr("does not use nlohmann"));
  EXPECT_THAT(Only(Check({{"kernels/x/x.cc", "<Eigen/Dense>"}})), HasSubstr("does not use Eigen"));
  EXPECT_THAT(Check({{"kernels/x/x_test.cc", "<Eigen/Dense>"}, {"kernels/x/x_benchmark.cc", "<Eigen/Dense>"}}),
              IsEmpty());
  EXPECT_THAT(Only(Check({{"base/a.cc", "\"gtest/gtest.h\""}})), HasSubstr("does not use gtest"));
  EXPECT_THAT(Only(Check({{"cli/a.cc", "<CLI/CLI.hpp>"}, {"cli/b.cc", "<CLI/CLI.hpp>"}})), HasSubstr("by one file"));
}

TEST(LayeringTest, InstructionSetUnitsSeeAlmostNothing) {
  const std::vector<std::string> args = {"kernels/x/x_args.h", "<cstdint>"};
  EXPECT_THAT(Check({{"kernels/x/x_cpu.cc", "\"kernels/x/x_args.h\"", "\"kernels/simd.h\""},
                     args,
                     {"kernels/simd.h", "<immintrin.h>", "<cstdint>"}}),
              IsEmpty());
  EXPECT_THAT(Only(Check({{"kernels/x/x_cpu.cc", "<algorithm>"}})), HasSubstr("per instruction set"));
  EXPECT_THAT(Only(Check({{"kernels/x/x_cpu.cc", "\"tensor/tensor.h\""}})), HasSubstr("per instruction set"));
  const std::string through = Only(Check({{"kernels/x/x_cpu.cc", "\"kernels/x/x_args.h\""},
                                          {"kernels/x/x_args.h", "\"kernels/y.h\""},
                                          {"kernels/y.h", "<vector>"}}));
  EXPECT_THAT(through, HasSubstr("kernels/x/x_cpu.cc <vector>"));
  EXPECT_THAT(through, HasSubstr("through kernels/y.h"));
  EXPECT_THAT(Only(Check({{"kernels/x/x_cpu.cc", "<eigen3/Eigen/Core>"}})), HasSubstr("per instruction set"));
  EXPECT_THAT(Check({{"kernels/benchmark_x_cpu.cc", "<eigen3/Eigen/Core>"}}), IsEmpty());
  EXPECT_THAT(Only(Check({{"kernels/benchmark_x_cpu.cc", "<vector>"}})), HasSubstr("per instruction set"));
  // A circle of includes ends.
  EXPECT_THAT(Check({{"kernels/x/x_cpu.cc", "\"kernels/y.h\""}, {"kernels/y.h", "\"kernels/y.h\""}}), IsEmpty());
}

TEST(LayeringTest, CudaUnitsSeeNoLibraries) {
  EXPECT_THAT(
      Only(Check({{"kernels/x/x_cuda.cu", "\"tensor/device.h\""}, {"tensor/device.h", "\"absl/status/statusor.h\""}})),
      HasSubstr("no library but CUDA's; through tensor/device.h"));
  EXPECT_THAT(Check({{"kernels/x/x_cuda.cu", "<cuda_runtime.h>", "<cstdint>", "\"kernels/x/x_args.h\""}}), IsEmpty());
}

}  // namespace
}  // namespace quern
