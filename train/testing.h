// What the tests of whole runs share: a small text, a small run, and a look at what it left.
#ifndef QUERN_TRAIN_TESTING_H_
#define QUERN_TRAIN_TESTING_H_

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "train/train_config.pb.h"

namespace quern {

// An empty folder of the running test's own.
std::string FreshFolder(const std::string& name);

// About `bytes` bytes of sentences that can be learnt, different for each seed.
std::string SmallText(size_t bytes, uint64_t seed);

// FOLDER/data/train.txt and validation.txt (and smoke.txt), and a run over them into FOLDER/NAME: bytes, a Llama of two
// layers with dropout, two micro-batches, 12 steps of which every fourth is evaluated and every fifth saved.
TrainConfig SmallRun(const std::string& folder, const std::string& name);

// Every file below `folder`, by its path from there, with its sha256; of metrics.jsonl, that of the rows without their
// rates; without TensorBoard's files, which hold times.
std::map<std::string, std::string> Digests(const std::string& folder);

// Steps of the scalars in quern/tensorboard, in the order in which TensorBoard reads them. CHECKs that no tail is torn.
std::vector<int64_t> EventSteps(const std::string& output_dir);

std::vector<Json> MetricsRows(const std::string& output_dir);

}  // namespace quern

#endif  // QUERN_TRAIN_TESTING_H_
