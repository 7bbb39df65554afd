// The smoke set: 10 to 50 lines of the corpus, for checks that take a second.
//
// It is drawn from the training split (from all records where that has fewer than ten), in the order of digests, which
// says nothing about the text: records that fit, up to 32 of them, 50 lines and 64 kB. They are written in the order of
// the input. Where no record fits, the beginning of the first one stands for it.
#ifndef QUERN_DATA_SMOKE_H_
#define QUERN_DATA_SMOKE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "data/split.h"

namespace quern {

class SmokeSampler {
 public:
  static constexpr int kMostCandidates = 512, kMostRecords = 32, kFewestRecords = 10, kMostLines = 50;
  static constexpr size_t kMostBytes = size_t{64} << 10;

  // `records` as AssignSplits leaves them: sorted by digest.
  SmokeSampler(const std::vector<IndexedRecord>& records, const std::vector<RecordFate>& fates);

  // To be called with the text of every kept record; those that are no candidates are ignored.
  void Offer(int64_t index, std::string_view text);

  struct Record {
    int64_t index;
    std::string text;  // at most kMostBytes, kMostLines
    bool cut;          // the record goes on
  };
  // What to write, in the order of the input. `blank_lines`: records are separated by a blank line, which counts.
  std::vector<Record> Choose(bool blank_lines) const;
  // All that was kept of the candidates' texts: a random sample of the corpus.
  std::string Sample() const;

 private:
  std::unordered_map<int64_t, int> rank_of_;  // by index
  std::map<int, Record> by_rank_;
};

}  // namespace quern

#endif  // QUERN_DATA_SMOKE_H_
