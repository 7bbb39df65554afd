// prepare on random inputs, judged by what its files say, not by how it works: from the splits that are on disk a test
// rebuilds what the splits of that input have to be.
#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/file.h"
#include "base/testing.h"
#include "base/thread_pool.h"
#include "data/prepare.h"
#include "gtest/gtest.h"

namespace quern {
namespace {

using Records = std::vector<std::string>;

constexpr const char* kSplitFiles[] = {"train.txt", "validation.txt", "test.txt"};

struct Case {
  Records records;  // as they are after cleaning; "" is an empty one
  std::string text;
  PrepareOptions options;
};

Case RandomCase(std::mt19937_64& random) {
  const auto below = [&](uint64_t n) { return random() % n; };
  Case c;
  const bool paragraphs = below(3) == 0;
  const uint64_t count = 10 + below(400), distinct = 3 + below(2 * count);
  for (uint64_t i = 0; i < count; ++i) {
    if (!paragraphs && below(8) == 0) {
      c.records.emplace_back();
      c.text += below(2) == 0 ? "\n" : " \t\n";
      continue;
    }
    std::string record = absl::StrCat("Record ", below(distinct));
    std::string raw = record;
    if (paragraphs && below(2) == 0) {
      absl::StrAppend(&record, "\n  second line");
      absl::StrAppend(&raw, below(2) == 0 ? "\r\n" : "  \n", "  second  line");
    }
    c.records.push_back(record);
    absl::StrAppend(&c.text, raw, below(4) == 0 ? "  " : "", "\n", paragraphs ? "\n" : "");
  }
  // Three distinct records, so that no case is refused.
  for (const char* last : {"last one", "last two", "last three"}) {
    c.records.emplace_back(last);
    absl::StrAppend(&c.text, last, "\n", paragraphs ? "\n \n" : "");
  }
  c.options.unit = paragraphs ? RecordUnit::kParagraph : RecordUnit::kLine;
  c.options.dedupe = below(2) == 0;
  c.options.seed = below(1000);
  constexpr double kRatios[][3] = {{.8, .1, .1}, {.5, .25, .25}, {.7, .1, .2}, {.9, .1, 0}, {1, 0, 0}, {.34, .33, .33}};
  const auto& ratios = kRatios[below(6)];
  c.options.train_ratio = ratios[0];
  c.options.val_ratio = ratios[1];
  c.options.test_ratio = ratios[2];
  return c;
}

Records ReadRecords(const std::string& path, const PrepareOptions& options) {
  std::string bytes = *ReadFile(path);
  if (bytes.empty()) return {};
  EXPECT_EQ(bytes.back(), '\n');
  bytes.pop_back();
  if (options.unit == RecordUnit::kLine) return absl::StrSplit(bytes, '\n');
  return absl::StrSplit(bytes, "\n\n");
}

void Check(const Case& c) {
  const auto result = Prepare(c.options);
  ASSERT_TRUE(result.ok()) << result.status();

  Records splits[3];
  std::map<std::string, int> split_of;
  for (int k = 0; k < 3; ++k) {
    splits[k] = ReadRecords(JoinPath(c.options.output_dir, kSplitFiles[k]), c.options);
    for (const std::string& record : splits[k]) {
      const auto [at, added] = split_of.emplace(record, k);
      ASSERT_EQ(at->second, k) << "\"" << record << "\" is in two splits";
    }
  }
  Records expected[3];
  std::set<std::string> seen;
  int64_t empty = 0, duplicates = 0;
  for (const std::string& record : c.records) {
    if (record.empty()) {
      ++empty;
      continue;
    }
    const bool repeated = !seen.insert(record).second;
    duplicates += c.options.dedupe && repeated;
    if (c.options.dedupe && repeated) continue;
    ASSERT_TRUE(split_of.count(record)) << "\"" << record << "\" is lost";
    expected[split_of[record]].push_back(record);
  }
  const int64_t kept = static_cast<int64_t>(c.records.size()) - empty - duplicates;
  EXPECT_EQ(result->read, static_cast<int64_t>(c.records.size()));
  EXPECT_EQ(result->empty, empty);
  EXPECT_EQ(result->duplicates, duplicates);
  EXPECT_EQ(result->kept, kept);
  const double ratios[] = {c.options.train_ratio, c.options.val_ratio, c.options.test_ratio};
  const PreparedSplit* said[] = {&result->train, &result->validation, &result->test};
  for (int k = 0; k < 3; ++k) {
    ASSERT_EQ(splits[k], expected[k]) << kSplitFiles[k];
    EXPECT_EQ(said[k]->records, static_cast<int64_t>(splits[k].size()));
    EXPECT_EQ(ratios[k] == 0, splits[k].empty());
    // Distinct records meet the ratios; a split that would be empty takes one.
    if (kept != static_cast<int64_t>(seen.size())) continue;
    EXPECT_LT(std::abs(static_cast<double>(splits[k].size()) - ratios[k] * static_cast<double>(kept)), 2);
  }
}

using PrepareProperty = FolderTest;

TEST_F(PrepareProperty, SplitsAreWhatTheInputSays) {
  std::mt19937_64 random(20240607);
  for (int trial = 0; trial < 60; ++trial) {
    Case c = RandomCase(random);
    c.options.input_file = Path("in.txt");
    c.options.output_dir = Path("out");
    ASSERT_TRUE(WriteFileAtomic(c.options.input_file, c.text).ok());
    ThreadPool pool(1 + trial % 3);
    ScopedThreadPool scope(pool);
    Check(c);
    EXPECT_EQ(*ReadFile(c.options.input_file), c.text);
    if (HasFailure()) {
      FAIL() << "trial " << trial << ", " << (c.options.dedupe ? "dedupe, " : "") << c.records.size()
             << " records, unit " << RecordUnitName(c.options.unit);
    }
  }
}

// Without `clean`, the splits of a text whose lines are all different, put together by the lines' order, are the text.
TEST_F(PrepareProperty, AnyBytesSurviveWithoutCleaning) {
  std::mt19937_64 random(7);
  for (int trial = 0; trial < 10; ++trial) {
    Records lines;
    std::map<std::string, size_t> order;
    for (int i = 0; i < 60; ++i) {
      std::string line = absl::StrCat("line ", i, " of text that is long enough to be mostly valid ");
      for (int n = 0; n < 4; ++n) line += static_cast<char>(128 + random() % 128);
      line += i % 3 == 0 ? "\r" : " ";
      order[line] = lines.size();
      lines.push_back(line);
    }
    PrepareOptions options;
    options.input_file = Path("in.txt");
    options.output_dir = Path("out");
    options.clean = false;
    options.unit = RecordUnit::kLine;
    ASSERT_TRUE(WriteFileAtomic(options.input_file, absl::StrJoin(lines, "\n") + "\n").ok());
    const auto result = Prepare(options);
    ASSERT_TRUE(result.ok()) << result.status();
    Records together(lines.size());
    for (const char* file : kSplitFiles) {
      for (const std::string& line : ReadRecords(JoinPath(options.output_dir, file), options)) {
        ASSERT_TRUE(order.count(line)) << file << ": not a line of the input";
        together[order[line]] = line;
      }
    }
    EXPECT_EQ(together, lines);
  }
}

}  // namespace
}  // namespace quern
