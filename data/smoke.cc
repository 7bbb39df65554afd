#include "data/smoke.h"

#include <algorithm>

#include "base/utf8.h"

namespace quern {
namespace {

int64_t Lines(std::string_view text) { return 1 + std::count(text.begin(), text.end(), '\n'); }

// At most kMostLines lines and kMostBytes bytes, cut between characters.
std::string_view Beginning(std::string_view text) {
  size_t end = std::min(text.size(), SmokeSampler::kMostBytes);
  while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  int lines = 0;
  for (size_t i = 0; i < end; ++i) {
    if (text[i] == '\n' && ++lines == SmokeSampler::kMostLines) end = i;
  }
  return text.substr(0, end);
}

}  // namespace

SmokeSampler::SmokeSampler(const std::vector<IndexedRecord>& records, const std::vector<RecordFate>& fates) {
  auto take = [&](bool train) {
    for (size_t i = 0; i < records.size() && rank_of_.size() < kMostCandidates; ++i) {
      if (i > 0 && records[i].digest == records[i - 1].digest) continue;
      const RecordFate fate = fates[static_cast<size_t>(records[i].index)];
      if ((fate == RecordFate::kTrain) == train) rank_of_.emplace(records[i].index, static_cast<int>(rank_of_.size()));
    }
  };
  take(/*train=*/true);
  if (rank_of_.size() < kFewestRecords) take(/*train=*/false);
}

void SmokeSampler::Offer(int64_t index, std::string_view text) {
  auto found = rank_of_.find(index);
  if (found == rank_of_.end()) return;
  const std::string_view beginning = Beginning(text);
  by_rank_[found->second] = {index, std::string(beginning), beginning.size() < text.size()};
}

std::vector<SmokeSampler::Record> SmokeSampler::Choose(bool blank_lines) const {
  std::vector<Record> chosen;
  int64_t lines = 0;
  size_t bytes = 0;
  for (const auto& [rank, record] : by_rank_) {
    const int64_t more = Lines(record.text) + (blank_lines && !chosen.empty() ? 1 : 0);
    if (record.cut || lines + more > kMostLines || bytes + record.text.size() > kMostBytes) continue;
    lines += more;
    bytes += record.text.size();
    chosen.push_back(record);
    if (chosen.size() == kMostRecords) break;
  }
  if (chosen.empty() && !by_rank_.empty()) chosen.push_back(by_rank_.begin()->second);
  std::sort(chosen.begin(), chosen.end(), [](const Record& a, const Record& b) { return a.index < b.index; });
  return chosen;
}

std::string SmokeSampler::Sample() const {
  std::string sample;
  for (const auto& [rank, record] : by_rank_) {
    if (sample.size() < (size_t{1} << 20)) sample.append(record.text).append("\n");
  }
  return sample;
}

}  // namespace quern
