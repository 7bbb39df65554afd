#include "train/testing.h"

#include <google/protobuf/text_format.h>

#include <filesystem>

#include "absl/strings/str_cat.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/sha256.h"
#include "gtest/gtest.h"
#include "train/event_file.h"

namespace quern {
namespace {

namespace fs = std::filesystem;

constexpr char kRun[] = R"(
  tokenizer: "byte" max_steps: 12 batch_size: 2 block_size: 16 gradient_accumulation_steps: 2
  learning_rate: 3e-3 warmup_steps: 3 dropout: 0.1 eval_steps: 4 eval_batches: 3 save_steps: 5 seed: 7
  model { llama { hidden_size: 32 intermediate_size: 48 num_hidden_layers: 2 num_attention_heads: 4
                  num_key_value_heads: 2 tie_word_embeddings: true } }
)";

}  // namespace

std::string FreshFolder(const std::string& name) {
  const auto* test = testing::UnitTest::GetInstance()->current_test_info();
  std::string folder = absl::StrCat(testing::TempDir(), "/", test->test_suite_name(), ".", test->name(), ".", name);
  CHECK_OK(RemoveAll(folder));
  CHECK_OK(MakeFolders(folder));
  return folder;
}

std::string SmallText(size_t bytes, uint64_t seed) {
  constexpr const char* kWords[] = {"the ", "mill ", "grinds ", "corn ", "and ", "stone ", "turns ", "slowly.\n"};
  std::string text;
  for (uint64_t i = 0; text.size() < bytes; ++i) text += kWords[RandomWords({seed, RngStream::kTest}, 0, 0, i)[0] % 8];
  return text;
}

TrainConfig SmallRun(const std::string& folder, const std::string& name) {
  const std::string data = JoinPath(folder, "data");
  CHECK_OK(MakeFolders(data));
  for (auto [file, bytes] :
       {std::pair("train.txt", 4000), std::pair("validation.txt", 600), std::pair("smoke.txt", 300)}) {
    const std::string path = JoinPath(data, file);
    if (!FileExists(path)) CHECK_OK(WriteFileAtomic(path, SmallText(static_cast<size_t>(bytes), bytes)));
  }
  TrainConfig config;
  CHECK(google::protobuf::TextFormat::ParseFromString(kRun, &config));
  config.set_train_file(JoinPath(data, "train.txt"));
  config.set_validation_file(JoinPath(data, "validation.txt"));
  config.set_output_dir(JoinPath(folder, name));
  return config;
}

std::map<std::string, std::string> Digests(const std::string& folder) {
  std::map<std::string, std::string> digests;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    const std::string path = fs::relative(entry.path(), folder).string();
    if (path.rfind("quern/tensorboard/", 0) == 0) continue;
    if (path != "quern/metrics.jsonl") {
      digests[path] = *Sha256File(entry.path().string());
      continue;
    }
    std::string rows;
    for (Json row : MetricsRows(folder)) {
      row.erase("tokens_per_second");
      rows += WriteJsonLine(row) + "\n";
    }
    digests[path] = Sha256(rows);
  }
  return digests;
}

std::vector<int64_t> EventSteps(const std::string& output_dir) {
  const std::string folder = JoinPath(output_dir, "quern/tensorboard");
  absl::StatusOr<std::vector<std::string>> names = ListFolder(folder);
  CHECK_OK(names.status());
  std::vector<int64_t> steps;
  for (const std::string& name : *names) {
    absl::StatusOr<EventFile> file = ReadEventFile(JoinPath(folder, name));
    CHECK_OK(file.status());
    CHECK_EQ(file->intact_bytes, *FileSize(JoinPath(folder, name))) << name;
    for (const EventFile::Record& record : file->records) {
      if (record.event.has_summary()) steps.push_back(record.event.step());
    }
  }
  return steps;
}

std::vector<Json> MetricsRows(const std::string& output_dir) {
  std::vector<Json> rows;
  absl::StatusOr<std::string> text = ReadFile(JoinPath(output_dir, "quern/metrics.jsonl"));
  CHECK_OK(text.status());
  std::string_view rest = *text;
  for (size_t end; (end = rest.find('\n')) != std::string_view::npos; rest.remove_prefix(end + 1)) {
    absl::StatusOr<Json> row = ParseJson(rest.substr(0, end), "row");
    CHECK_OK(row.status());
    rows.push_back(*row);
  }
  CHECK(rest.empty()) << "a torn row: " << std::string(rest);
  return rows;
}

}  // namespace quern
