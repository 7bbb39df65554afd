// How fast text is learnt, encoded and decoded, on one thread:
//   bazel run //data/tokenizer:tokenizer_benchmark -- TEXT [TOKENIZER [PATTERN]]
// Trains BPE with 4,096 ids on TEXT, or loads TOKENIZER; prints a JSON line per case. Seconds are the processor's,
// which neighbours on the machine disturb less than the clock's. tests/hf/compare_tokenizer_speed.py puts others beside
// them.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>

#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "data/tokenizer/bpe_train.h"
#include "data/tokenizer/tokenizer.h"

namespace quern {
namespace {

constexpr int kRounds = 5;

double ProcessorSeconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

void Measure(const char* name, size_t bytes, const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int round = 0; round < kRounds; ++round) {
    const double start = ProcessorSeconds();
    work();
    seconds.push_back(ProcessorSeconds() - start);
  }
  std::sort(seconds.begin(), seconds.end());
  const Json line = {{"case", name},
                     {"threads", 1},
                     {"bytes", bytes},
                     {"seconds", {{"min", seconds.front()}, {"median", seconds[kRounds / 2]}}},
                     {"bytes_per_second", static_cast<double>(bytes) / seconds.front()}};
  std::printf("%s\n", WriteJsonLine(line).c_str());
}

template <typename T>
T OrExit(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", std::string(result.status().message()).c_str());
  std::exit(3);
}

void Run(const std::string& text, const char* path, const char* pattern) {
  const Tokenizer tokenizer = path == nullptr ? OrExit(TrainBpe(text, {.vocab_size = 4096}))
                                              : OrExit(Tokenizer::Load(path, {.pattern = pattern}));
  if (path == nullptr) {
    Measure("train bpe 4096", text.size(), [&] { OrExit(TrainBpe(text, {.vocab_size = 4096})); });
  } else {
    Measure("load", OrExit(FileSize(path)), [&] { OrExit(Tokenizer::Load(path, {.pattern = pattern})); });
  }
  const std::vector<int32_t> ids = OrExit(tokenizer.Encode(text));
  Measure("encode", text.size(), [&] { CHECK(OrExit(tokenizer.Encode(text)).size() == ids.size()); });
  Measure("decode", text.size(), [&] { CHECK(OrExit(tokenizer.Decode(ids)) == text); });
}

}  // namespace
}  // namespace quern

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    std::fprintf(stderr, "usage: tokenizer_benchmark TEXT [TOKENIZER [PATTERN]]\n");
    return 2;
  }
  // Under `bazel run`, names are relative to where the user is.
  if (const char* folder = std::getenv("BUILD_WORKING_DIRECTORY"); folder != nullptr && chdir(folder) != 0) return 4;
  quern::ThreadPool::SetDefaultThreads(1);
  const std::string text = quern::OrExit(quern::ReadFile(argv[1]));
  quern::Run(text, argc > 2 ? argv[2] : nullptr, argc > 3 ? argv[3] : "");
  return 0;
}
