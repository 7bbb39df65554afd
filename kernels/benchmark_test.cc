#include "kernels/benchmark.h"

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

std::vector<BenchmarkCase> Cases() {
  auto spin = [](int n) {
    return [n] {
      for (int i = 0; i < n; ++i) asm volatile("");
    };
  };
  BenchmarkCase compute;
  compute.name = "compute";
  compute.flops = 1000;
  compute.run = spin(1000);
  compute.opponents = {{"slow", spin(8000)}, {"fast", spin(100)}};
  BenchmarkCase memory;
  memory.name = "memory";
  memory.bytes = 1000;
  memory.run = spin(1000);
  BenchmarkCase impossible = memory;
  impossible.name = "impossible";
  impossible.bytes = 1e12;
  BenchmarkCase late;
  late.name = "late";
  late.bytes = 1000;
  late.prepare = [spin](BenchmarkCase& self) {
    self.run = spin(1000);
    self.opponents = {{"slow", spin(8000)}};
  };
  return {compute, memory, impossible, late};
}

int Main(std::vector<std::string> args, std::string* out) {
  args.insert(args.begin(), "benchmark");
  std::vector<char*> argv;
  for (std::string& arg : args) argv.push_back(arg.data());
  testing::internal::CaptureStdout();
  int status = BenchmarkMain(static_cast<int>(argv.size()), argv.data(), "spin", Cases);
  *out = testing::internal::GetCapturedStdout();
  return status;
}

std::vector<Json> Lines(const std::string& text) {
  std::vector<Json> lines;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
    lines.push_back(*ParseJson(text.substr(at, text.find('\n', at) - at), "line"));
  }
  return lines;
}

std::set<std::string> Keys(const Json& object) {
  std::set<std::string> keys;
  for (const auto& item : object.items()) keys.insert(item.key());
  return keys;
}

TEST(BenchmarkTest, JsonLinesHaveThePinnedFields) {
  std::string out;
  ASSERT_EQ(Main({"--json", "--filter", "compute|memory", "--threads=1", "--isa", "reference"}, &out), 0);
  std::vector<Json> lines = Lines(out);
  ASSERT_EQ(lines.size(), 2u);
  std::set<std::string> fields = {"kernel",           "case",     "dtype", "isa", "threads", "seconds",
                                  "share_of_ceiling", "opponents"};
  std::set<std::string> with_flops = fields, with_bytes = fields;
  with_flops.insert("flops_per_second");
  with_bytes.insert("bytes_per_second");
  EXPECT_EQ(Keys(lines[0]), with_flops);
  EXPECT_EQ(Keys(lines[1]), with_bytes);
  EXPECT_EQ(lines[0]["kernel"], "spin");
  EXPECT_EQ(lines[0]["case"], "compute");
  EXPECT_EQ(lines[0]["dtype"], "f32");
  EXPECT_EQ(lines[0]["isa"], "reference");
  EXPECT_EQ(lines[0]["threads"], 1);
  double min = lines[0]["seconds"]["min"], median = lines[0]["seconds"]["median"];
  EXPECT_GT(min, 0);
  EXPECT_GE(median, min);
  EXPECT_DOUBLE_EQ(lines[0]["flops_per_second"].get<double>(), 1000 / min);
  EXPECT_GT(lines[0]["opponents"]["slow"], 2.0);
  EXPECT_LT(lines[0]["opponents"]["fast"], 0.5);
  EXPECT_GT(lines[0]["share_of_ceiling"], 0);
}

TEST(BenchmarkTest, CasesArePreparedWhenTheirTurnHasCome) {
  std::string out;
  ASSERT_EQ(Main({"--json", "--filter", "late", "--threads=1"}, &out), 0);
  EXPECT_GT(Lines(out).at(0)["opponents"]["slow"], 2.0);
}

TEST(BenchmarkTest, AnImpossibleShareFails) {
  std::string out;
  testing::internal::CaptureStderr();
  EXPECT_EQ(Main({"--filter", "impossible", "--threads", "1"}, &out), 1);
  EXPECT_NE(testing::internal::GetCapturedStderr().find("of its ceiling"), std::string::npos);
  EXPECT_NE(out.find("impossible"), std::string::npos);
}

TEST(BenchmarkTest, WrongFlagsAreRefused) {
  std::string out;
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{{"--jsno"},
                                                                                    {"--threads"},
                                                                                    {"--threads", "0"},
                                                                                    {"--threads", "2x"},
                                                                                    {"--isa", "avx3"},
                                                                                    {"--filter", "("},
                                                                                    {"--filter", "no such case"},
                                                                                    {"--json=yes"}}) {
    testing::internal::CaptureStderr();
    EXPECT_EQ(Main(args, &out), 2) << args[0];
    EXPECT_NE(testing::internal::GetCapturedStderr().find("usage"), std::string::npos) << args[0];
  }
}

}  // namespace
}  // namespace quern
