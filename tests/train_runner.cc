// A training run from a TrainConfig's text, for tests that stop and kill it: train_runner CONFIG THREADS. Exits 0, 1
// after an error, 130 or 143 after an interrupt.
#include <google/protobuf/text_format.h>

#include <cstdio>
#include <cstdlib>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "train/train.h"

int main(int argc, char** argv) {
  using namespace quern;
  CHECK_EQ(argc, 3) << "usage: train_runner CONFIG THREADS";
  InstallInterruptHandlers();
  ThreadPool::SetDefaultThreads(std::atoi(argv[2]));
  absl::StatusOr<std::string> text = ReadFile(argv[1]);
  CHECK_OK(text.status());
  TrainConfig config;
  CHECK(google::protobuf::TextFormat::ParseFromString(*text, &config)) << argv[1];
  absl::StatusOr<TrainResult> result = Train(config);
  if (!result.ok()) {
    LOG(ERROR) << result.status().ToString();
    return Interrupted() ? InterruptExitStatus() : 1;
  }
  std::printf("steps %lld loss %.9g eval %.9g bits_per_byte %.9g seconds %.3f tokens_per_second %.1f\n",
              static_cast<long long>(result->steps), result->loss, result->best_eval_loss, result->best_bits_per_byte,
              result->seconds, result->tokens_per_second);
  return 0;
}
